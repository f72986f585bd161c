"""`gpt2forge why`: shows what differs between each step and the most similar earlier one, and what sets the values."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, recipe_options, skip_option, store_option
from gpt2forge.cli.plan_command import VERDICTS, plan_job
from gpt2forge.errors import UserError, suggest
from gpt2forge.plan.difference import Difference
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.nearest import Nearest, find_earlier
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import format_input_change, format_transition, list_files, list_modules
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store

Row = tuple[str, str, str]
"""A value's name, its change, and the place that sets it; each may be empty."""

ORIGINS = {"inputs": "input", "tools": "tool", "host": "host", "version": "version of the step"}


@click.command("why")
@click.argument("selector", metavar="RECIPE")
@click.argument("stage", metavar="[STAGE]", required=False)
@recipe_options
@skip_option
@store_option
@json_option
def why(
    selector: str,
    stage: str | None,
    changes: tuple[str, ...],
    name: str | None,
    skip: Sequence[str],
    store: Path,
    as_json: bool,
) -> None:
    """Show what changed in each step since the most similar earlier one. STAGE chooses one step."""
    loaded, opened = load_recipe(selector, changes, name), Store(store, is_read_only=True)
    job = make_job(loaded, skip)
    steps = choose_steps(plan_job(job, opened).steps, stage)
    compared = [(step, find_compared(step, opened)) for step in steps]
    if as_json:
        found = [
            {**step.to_json(), "differences": describe(step, near, loaded=loaded, store=opened)}
            for step, near in compared
        ]
        console.write_json({"recipe": job.name, "steps": found})
        return
    width = max(8, *(len(step.verdict) for step in steps))
    for step, nearest in compared:
        head = (f"{step.verdict:<{width}}", f"{step.stage.name:<10}", introduce(step, nearest))
        console.write_rows([head], VERDICTS)
        rows = list(tabulate(step.stage, nearest, loaded=loaded, store=opened)) if nearest else []
        if rows:
            console.write("".join(f"    {line}\n" for line in console.align(rows).splitlines()))


def choose_steps(steps: Sequence[PlannedStep], stage: str | None) -> list[PlannedStep]:
    """Return the step of one stage, or all steps; raise UserError for an unknown stage."""
    known = [step.stage.name for step in steps]
    if stage is not None and stage not in known:
        raise UserError(f"`{stage}`: this recipe has no such step{suggest(stage, known)}")
    return [step for step in steps if stage in (None, step.stage.name)]


def find_compared(step: PlannedStep, store: Store) -> Nearest | None:
    """Return what the plan compares a step with; for a step that is done, a record older than its own."""
    if step.verdict != "done":
        return step.nearest
    own = store.records.find(step.stage.name, str(step.key))
    index = store.records.index(step.stage.name)
    return find_earlier(step.pre_image, index, store.records, before=own.created if own else math.inf)


def introduce(step: PlannedStep, nearest: Nearest | None) -> str:
    """Return the end of a step's line, above its differences."""
    if step.verdict == "may run" or step.is_evicted:
        return step.reason
    if nearest is None and not step.block:
        return "not built before" if step.verdict == "will run" else "built once; there is no earlier build"
    if nearest is None:
        return step.reason
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nearest.record.created))
    against = f"compared with the build of {made}:"
    if step.block:
        return f"{step.reason}; {against}" if nearest.differences else step.reason
    return against if nearest.differences else f"the same as the build of {made}: {step.reason}"


def tabulate(stage: Stage, nearest: Nearest, loaded: LoadedRecipe, store: Store) -> Iterator[Row]:
    """Yield a row for each value, input, file, tool and module that differs."""
    for difference in nearest.differences:
        if difference.path[0] != "code":
            yield name_value(stage, difference), *format_change(stage, difference, loaded)
            if difference.path[0] == "inputs":
                yield from ((f"  {file}", "", "") for file in list_files(difference, store.stat_cache))
    yield from ((f"gpt2forge's own code: {module}", "", "") for module in list_modules(nearest.differences))


def name_value(stage: Stage, difference: Difference) -> str:
    part, *rest = difference.path
    name = ".".join(rest)
    if part in ("section", "target"):
        return f"{stage.section if part == 'section' else part}.{name}"
    return f"{ORIGINS.get(part, part)} {name}".rstrip()


def format_change(stage: Stage, difference: Difference, loaded: LoadedRecipe) -> tuple[str, str]:
    """Return the change of a value and the place that sets it."""
    part, *rest = difference.path
    if part == "inputs":
        return format_input_change(difference), ""
    change = format_transition(difference)
    keys = {"section": (str(stage.section), *rest), "target": ("target", *rest)}.get(part)
    return change, find_origin(loaded, keys) if keys else ""


def find_origin(loaded: LoadedRecipe, keys: Sequence[str]) -> str:
    """Return the place that sets a value; "the default" if no file does."""
    said = loaded.document.find(keys)
    return "the default" if said is None else str(said.place)


def describe(step: PlannedStep, nearest: Nearest | None, loaded: LoadedRecipe, store: Store) -> list[dict[str, Any]]:
    """Return the differences of a step as JSON objects."""
    rows = tabulate(step.stage, nearest, loaded=loaded, store=store) if nearest else ()
    return [dict(zip(("what", "change", "origin"), row, strict=True)) for row in rows]
