"""`gpt2forge check`: builds a recipe twice, each time from nothing, and compares the results step by step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, recipe_options
from gpt2forge.cli.run_view import RunView
from gpt2forge.errors import UserError, quote
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.run import run_job
from gpt2forge.plan.blocked import StepsBlocked, list_blocks
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.store.store import Store
from gpt2forge.store.temporary import make_temporary

COLOURS = {"same": "green", "DIFFERENT": "red"}


@click.command("check")
@click.argument("selector", metavar="RECIPE")
@recipe_options
@json_option
def check(selector: str, changes: tuple[str, ...], name: str | None, as_json: bool) -> None:
    """Build twice from nothing, and compare every byte of every step."""
    # Steps whose tools are not installed are left out, and reported after all others are compared.
    loaded = load_recipe(selector, changes, name)
    with RunView() as view:
        SourceFetcher(view.show).fetch(loaded)
    job = make_job(loaded, MEASURING)
    first = build_from_nothing(job)
    with one_processor():
        second = build_from_nothing(job)
    pairs = [(one.stage, one.digest, other.digest) for one, other in zip(first, second, strict=True) if one.digest]
    different = [stage for stage, one, other in pairs if one != other]
    if as_json:
        steps = [{"stage": stage, "digests": [one, other]} for stage, one, other in pairs]
        console.write_json({"recipe": job.name, "steps": steps, "different": different})
    else:
        console.write_rows([(format_verdict(one, other), stage, str(one)) for stage, one, other in pairs], COLOURS)
    if different:
        raise UserError(f"{job.name}: two builds differ in {quote(different)}")
    blocks = list_blocks(job)
    if blocks:
        raise StepsBlocked(job, blocks)


def format_verdict(one: str | None, other: str | None) -> str:
    return "same" if one == other else "DIFFERENT"


def build_from_nothing(job: Job) -> list[Outcome]:
    """Run every step that can run here, in a new store that is removed afterwards; return the outcomes."""
    with make_temporary(Path.cwd(), "check") as folder, RunView() as view:  # /tmp may be too small for a store
        job_run = run_job(job, Store(folder), view.show)
    if job_run.error is not None and not isinstance(job_run.error, StepsBlocked):
        raise job_run.error
    return job_run.outcomes


@contextmanager
def one_processor() -> Iterator[None]:
    """Limit this process, and those that it starts, to one processor, where the system supports that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
