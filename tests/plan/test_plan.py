"""Plans over a store in memory; that a plan leaves a real store alone is tested in tests/store/test_queries.py."""

from dataclasses import replace
from pathlib import Path

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
