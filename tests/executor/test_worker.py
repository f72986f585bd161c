"""What a worker reads, runs and is told: the sources and the code that its key names, in an environment without effect."""

import os
import sys
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.stages.stage import Stage, Target
from gpt2forge.store.store import Store
from tests.toy import swap
from tests.toy.job import begin, list_files, run

pytestmark = pytest.mark.slow

STAGE = """
from pathlib import Path
from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Stage, Target

def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    (out / "text").write_text("one")
    return {}

STAGE = Stage(
    name="edited", section=None, target=(), reads=("checkpoint",), writes=PACKAGE, tools=(), version=1, run=run
)
"""


def make_job(stage: Stage, source: Path, **sections: swap.Swapping) -> Job:
    source.mkdir(exist_ok=True)  # without a file, which is a source too
    return Job(
        name="toy",
        stages=(stage,),
        sections=sections,
        target=Target.model_validate({"device": "cpu"}),
        sources={"checkpoint": Source(source, list_files)},
    )


def read_text(store: Store, digest: str | None) -> str:
    return (store.artifacts.folder(str(digest)) / "text").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the swap is an error")
def test_folder_that_is_swapped_while_the_stage_reads_is_read_as_planned(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / "above" / name).mkdir(parents=True)
        (tmp_path / "above" / name / "a").write_text(name)
    variables = ("OMP_NUM_THREADS", "MKL_CBWR", "ATEN_CPU_CAPABILITY", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
    for name in variables:
        monkeypatch.setenv(name, "2")
    monkeypatch.setenv("UNRELATED", "2")
    job = make_job(swap.STAGE, tmp_path / "above/one", swapping=swap.Swapping(above=str(tmp_path / "above")))
    (outcome,) = run(job, store)
    assert read_text(store, outcome.digest) == "one"
    assert "UNRELATED" in outcome.metrics["environment"]
    assert not set(variables) & set(outcome.metrics["environment"])
    assert not list((store.root / "making").iterdir())


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Stage]:
    """Return a stage of its own file, which a test may edit, and that file. Python keeps its byte code."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delitem(sys.modules, "edited", raising=False)
    path = tmp_path / "edited.py"
    path.write_text(STAGE)
    import edited  # type: ignore[import-not-found]

    return path, edited.STAGE


def edit(path: Path) -> None:
    """Edit a stage and keep its size and time, as rsync and container builds do."""
    before = path.stat()
    path.write_text(STAGE.replace('"one"', '"two"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_edit_of_equal_size_and_time_runs_and_not_the_old_byte_code(
    store: Store, source: Path, edited: tuple[Path, Stage]
) -> None:
    path, stage = edited
    assert list((path.parent / "__pycache__").glob("edited.*.pyc"))
    (first,) = run(make_job(stage, source), store)
    edit(path)
    (second,) = run(make_job(stage, source), store)
    assert [read_text(store, outcome.digest) for outcome in (first, second)] == ["one", "two"]
    assert second.outcome == "built"


def test_edit_after_the_plan_is_one_line(store: Store, source: Path, edited: tuple[Path, Stage]) -> None:
    path, stage = edited
    job_run = begin(make_job(stage, source), store)
    edit(path)
    run_jobs([job_run], store, emit=lambda event: None, options=Options(resources=Resources(1, 1 << 30)))
    assert isinstance(job_run.error, UserError)
    assert str(job_run.error) == "`edited`: gpt2forge or a tool changed while the build ran; build again"
