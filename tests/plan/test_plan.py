"""Plans over a store in memory; that a plan leaves a real store alone is tested in tests/store/test_queries.py."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.store.records import LocalRecords
from gpt2forge.store.roots import register
from gpt2forge.store.store import Store
from tests.plan.pretend import pretend
from tests.store.memory import make_memory_store
from tests.toy.job import make_job


def plan(store: Store, source: Path, times: int = 2, upper: bool = False) -> list[tuple[str, str]]:
    made = make_plan(make_job(source, times=times, upper=upper), Readings(store), lambda done, total, unit: None)
    return [(step.verdict, step.reason) for step in made.steps]


def test_first_build_will_run_everything(tmp_path: Path) -> None:
    assert plan(make_memory_store(), tmp_path / "source") == [("will run", "not built before")] * 3


def test_built_job_is_done(tmp_path: Path) -> None:
    store, source = make_memory_store(), tmp_path / "source"
    pretend(make_job(source), store)
    assert plan(store, source) == [("done", "")] * 3


def test_step_behind_one_that_will_run_may_run(tmp_path: Path) -> None:
    store, source = make_memory_store(), tmp_path / "source"
    pretend(make_job(source), store)
    assert plan(store, source, times=3) == [
        ("done", ""),
        ("will run", "`repetition.times` 2 -> 3"),
        ("may run", "if `text` changes"),
    ]


def test_step_that_was_never_made_with_these_values_will_run(tmp_path: Path) -> None:
    store, source = make_memory_store(), tmp_path / "source"
    pretend(make_job(source), store)
    assert plan(store, source, times=3, upper=True)[2] == ("will run", "`packing.upper` false -> true")


BOTH = ("text", "checkpoint")


@pytest.mark.parametrize(
    ("before", "after", "times", "expected"),
    [
        (("text",), BOTH, 2, ("will run", "checkpoint is a new input")),
        (BOTH, ("text",), 2, ("will run", "checkpoint is no longer an input")),
        (BOTH, ("text",), 3, ("will run", "checkpoint is no longer an input")),
        (BOTH, BOTH, 3, ("may run", "if `text` changes")),
        (("checkpoint",), BOTH, 3, ("will run", "text is a new input")),
    ],
)
def test_inputs_that_come_and_go_are_the_reason(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], times: int, expected: tuple[str, str]
) -> None:
    """A tokenizer or an adapter, for example, is an input of some recipes only."""
    store, source = make_memory_store(), tmp_path / "source"
    pretend(read(make_job(source), before), store)
    steps = make_plan(read(make_job(source, times=times), after), Readings(store), lambda done, total, unit: None).steps
    assert (steps[2].verdict, steps[2].reason) == expected


def read(job: Job, kinds: tuple[str, ...]) -> Job:
    """Return a job whose last stage reads these kinds."""
    return replace(job, stages=(*job.stages[:2], replace(job.stages[2], reads=kinds)))


def test_planning_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", is_read_only=True)
    plan(store, tmp_path / "source")
    assert not store.root.exists()


def plan_new(store: Store, source: Path, times: int) -> list[str]:
    """Plan the job of a recipe that was never built, and return the reasons."""
    job = replace(make_job(source, times=times), is_new=True)
    return [step.reason for step in make_plan(job, Readings(store), lambda done, total, unit: None).steps]


def test_step_of_a_new_recipe_names_the_nearest_and_not_what_differs_from_it(tmp_path: Path) -> None:
    root, source = tmp_path / "cache", tmp_path / "source"
    store = Store(root, records=LocalRecords(root), artifacts=make_memory_store().artifacts)
    made = pretend(make_job(source), store)
    assert plan_new(store, source, times=3) == ["", "new", "if `text` changes"]
    (tmp_path / "build").mkdir()
    steps = {record.stage: record.digest for record in made}
    register(store, tmp_path / "build/mine", recipe="mine", steps=steps, package=made[-1].digest)
    assert plan_new(store, source, times=3) == ["", "new (nearest: `mine`)", "if `text` changes"]
    assert plan_new(store, source, times=2) == ["", "", ""]
