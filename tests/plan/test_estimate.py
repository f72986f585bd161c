"""The memory that a step is expected to use, before and after an earlier run."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.plan.estimate import estimate
from gpt2forge.plan.nearest import Nearest
from tests.plan.pretend import pretend
from tests.store.memory import make_memory_store
from tests.toy.job import make_job


def test_memory_is_what_a_stage_holds_of_what_it_reads(tmp_path: Path) -> None:
    job = make_job(tmp_path / "source")
    stage = replace(job.stages[0], holds=0.25)
    assert estimate(job, stage, nearest=None, read=1000).memory == stage.libraries + 250


def test_memory_grows_from_what_the_nearest_took(tmp_path: Path) -> None:
    store, job = make_memory_store(), make_job(tmp_path / "source")
    pretend(job, store)
    stage = replace(job.stages[0], holds=0.25)
    record = replace(store.records.list(stage.name)[0], peak_memory_bytes=500, bytes_read=1000, bytes_written=10)
    assert estimate(job, stage, nearest=Nearest(record, ()), read=3000).memory == 500 + 500
    assert estimate(job, stage, nearest=Nearest(record, ()), read=200).memory == 500
