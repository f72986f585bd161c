"""What a worker reads, runs and is told: the sources and the code that its key names, in an environment without effect."""

import sys
from pathlib import Path

import pytest

from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store
from tests.toy import swap
from tests.toy.job import list_files, run
from tests.toy.sections import Swapping

pytestmark = pytest.mark.slow


def make_job(stage: Stage, source: Path, **sections: Swapping) -> Job:
    source.mkdir(exist_ok=True)  # without a file, which is a source too
    return Job(
        name="toy",
        stages=(stage,),
        sections=sections,
        target=TargetSection.model_validate({"device": "cpu"}),
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
    job = make_job(swap.STAGE, tmp_path / "above/one", swapping=Swapping(above=str(tmp_path / "above")))
    (outcome,) = run(job, store)
    assert read_text(store, outcome.digest) == "one"
    assert "UNRELATED" in outcome.metrics["environment"]
    assert not set(variables) & set(outcome.metrics["environment"])
    assert not list((store.root / "making").iterdir())
