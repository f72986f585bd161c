"""`gpt2forge check`: builds a recipe twice, each time from nothing, and compares what came out, step by step."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gpt2forge.cli import console
from gpt2forge.errors import UserError, quote
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.run import run_job
from gpt2forge.plan.blocked import StepsBlocked, list_blocks
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.store import Store


def check(reference: str, as_json: bool, changes: Sequence[str], name: str | None) -> None:
    """Write for each step whether its artifact is the same to the byte; measuring steps are left out.

    The second time one processor alone may be used. Nothing is published or kept. Raises UserError where two differ.

    Steps that need a tool that is not installed are left out; that raises StepsBlocked after all others are compared.
    """
    job = make_job(load_recipe(reference, changes, name), MEASURING)
    first = build(job)
    with one_processor():
        second = build(job)
    pairs = [(one.stage, one.digest, other.digest) for one, other in zip(first, second, strict=True) if one.digest]
    different = [stage for stage, one, other in pairs if one != other]
    if as_json:
        steps = [{"stage": stage, "digests": [one, other]} for stage, one, other in pairs]
        console.write_json({"recipe": job.name, "steps": steps, "different": different})
    else:
        console.write_rows([(say(one, other), stage, str(one)) for stage, one, other in pairs], {"same": "green"})
    if different:
        raise UserError(f"{job.name}: two builds differ in {quote(different)}")
    blocks = list_blocks(job)
    if blocks:
        raise StepsBlocked(job, blocks)


def say(one: str | None, other: str | None) -> str:
    return "same" if one == other else "DIFFERENT"


def build(job: Job) -> list[Outcome]:
    """Return the outcomes of every step that can run, made from nothing in a store that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".check-", dir=Path.cwd()))  # where there is room for a store
    try:
        with console.RunView() as view:
            job_run = run_job(job, Store(folder), view.show)
    finally:
        remove_tree(folder)
    if job_run.error is not None and not isinstance(job_run.error, StepsBlocked):
        raise job_run.error
    return job_run.outcomes


@contextmanager
def one_processor() -> Iterator[None]:
    """Leave this process, and those that it starts, a single processor, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
