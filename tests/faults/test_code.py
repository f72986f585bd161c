"""Code that is edited but keeps its size and time, as rsync and container builds do: what runs is what the key names."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store
from tests.faults.conftest import Note
from tests.toy.job import begin, list_files, run

pytestmark = pytest.mark.slow

STAGE = """
from pathlib import Path
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.stages.stage import PACKAGE, Inputs, Metrics, Stage, Target

def run(inputs: Inputs, section: None, target: Target, out: Path) -> Metrics:
    (out / "text").write_text("one")
    return {}

STAGE = Stage(
    name="edited", section=None, target=(), reads=("checkpoint",), writes=PACKAGE, tools=(), version=1, run=run
)
"""


def make_job(stage: Stage, source: Path) -> Job:
    source.mkdir(exist_ok=True)
    return Job(
        name="toy",
        stages=(stage,),
        sections={},
        target=TargetSection.model_validate({"device": "cpu"}),
        sources={"checkpoint": Source(source, list_files)},
    )


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


def edit(path: Path, word: str) -> None:
    """Let the stage write another word of three letters; keep the size and time of its file."""
    before = path.stat()
    path.write_text(STAGE.replace('"one"', f'"{word}"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_edit_of_equal_size_and_time_runs_and_not_the_old_byte_code(
    tmp_path: Path, edited: tuple[Path, Stage], rounds: Callable[[int], int], note: Note
) -> None:
    path, stage = edited
    assert list((path.parent / "__pycache__").glob("edited.*.pyc"))
    store, keys = Store(tmp_path / "cache"), set()
    for number in range(count := rounds(2)):
        edit(path, f"{number:03}")
        (outcome,) = run(make_job(stage, tmp_path / "source"), store)
        assert (store.artifacts.folder(str(outcome.digest)) / "text").read_text() == f"{number:03}"
        keys.add(outcome.key)
    assert len(keys) == count
    note(
        "the code of a stage edited beside its old byte code, without a change of size and time",
        count,
        "another key, and the new code ran",
    )


def test_edit_between_the_plan_and_the_worker_is_one_line(
    tmp_path: Path, edited: tuple[Path, Stage], note: Note
) -> None:
    path, stage = edited
    store = Store(tmp_path / "cache")
    job_run = begin(make_job(stage, tmp_path / "source"), store)
    edit(path, "two")
    run_jobs([job_run], store, emit=lambda event: None, options=Options(resources=Resources(1, 1 << 30)))
    assert isinstance(job_run.error, UserError)
    assert str(job_run.error) == "`edited`: gpt2forge or a tool changed while the build ran; build again"
    assert not store.records.list("edited")
    note("the same edit after the plan was made", 1, "one line; nothing was kept")
