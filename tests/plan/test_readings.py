"""Plans that are made together read everything once, and are the plans that each command would make alone."""

from pathlib import Path

from gpt2forge.plan.key import make_basis
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.store.store import Store
from tests.plan.pretend import pretend
from tests.store.memory import make_memory_store
from tests.toy.job import make_job


def ignore(done: int, total: int, unit: str) -> None: ...


def test_plans_made_together_equal_plans_made_apart(tmp_path: Path) -> None:
    store = make_memory_store()
    pretend(make_job(tmp_path / "a"), store)
    jobs = [make_job(tmp_path / name, times=times) for name in ("a", "b") for times in (2, 3)]
    together = Readings(store)
    assert [make_plan(job, together, ignore) for job in jobs] == [
        make_plan(job, Readings(store), ignore) for job in jobs
    ]


def test_sources_and_code_are_read_once(tmp_path: Path) -> None:
    readings = Readings(Store(tmp_path / "cache"))
    first, again = (make_job(tmp_path / "a", times=times) for times in (2, 3))
    (source, *_), (same, *_) = ([*job.sources.values()] for job in (first, again))
    assert readings.read_source(source, ignore) is readings.read_source(same, ignore)
    bases = [make_basis(job, job.stages[1], readings) for job in (first, again)]
    assert bases[0]["code"] is bases[1]["code"]
    assert bases[0]["section"] != bases[1]["section"]


def test_equal_steps_are_looked_up_once(tmp_path: Path) -> None:
    readings = Readings(make_memory_store())
    first, again = (make_plan(make_job(tmp_path / "a", upper=upper), readings, ignore).steps for upper in (False, True))
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, False]


def test_new_readings_see_a_change(tmp_path: Path) -> None:
    store, job = Store(tmp_path / "cache"), make_job(tmp_path / "a")
    before = Readings(store).read_source(job.sources["checkpoint"], ignore)
    (tmp_path / "a" / "a").write_text("changed")
    assert Readings(store).read_source(job.sources["checkpoint"], ignore) != before
