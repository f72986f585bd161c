"""`gpt2forge plan`: what a build would do, and why."""

from collections.abc import Sequence
from pathlib import Path

from gpt2forge import console
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import PlannedStep, make_plan
from gpt2forge.plan.recipe_job import make_job
from gpt2forge.progress import Meter
from gpt2forge.recipe import load_recipe
from gpt2forge.store.store import Store


def plan(
    reference: str, store: Path, as_json: bool, changes: Sequence[str], name: str | None, skip: Sequence[str]
) -> None:
    """Write one line a step on stdout: done, will run or may run, and why."""
    job = make_job(load_recipe(reference, changes, name), skip)
    steps = look_up(job, Store(store))
    if as_json:
        console.write_json({"recipe": job.name, "steps": [step.to_json() for step in steps]})
        return
    console.write_rows(
        [(step.verdict, step.stage.name, foretell(step), step.reason) for step in steps], console.VERDICTS
    )


def look_up(job: Job, store: Store) -> tuple[PlannedStep, ...]:
    """The plan of a job; shows how far it is where a checkpoint must be hashed."""
    with console.RunView() as view:
        return make_plan(job, store, Meter("checkpoint", view.show).advance)


def foretell(step: PlannedStep) -> str:
    """How long a step that is not done takes, and how much memory, as the nearest one did."""
    if step.nearest is None:
        return ""
    record = step.nearest.record
    return f"~{record.seconds:.1f} s, {console.size(record.peak_memory_bytes)}"
