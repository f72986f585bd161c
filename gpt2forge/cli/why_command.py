"""`gpt2forge why`: of each step, what is different from the nearest one that was made before, and where it was said."""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gpt2forge.cli import console
from gpt2forge.cli.plan_command import look_up
from gpt2forge.errors import UserError, quote
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import Difference, Nearest, find_nearest, list_files, list_modules, show_change
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store

Row = tuple[str, str, str]
"""What, from what to what, and where that was said; each may be empty."""

ORIGINS = {"inputs": "input", "tools": "tool", "host": "host", "version": "version of the step"}


def why(
    reference: str,
    stage: str | None,
    store: Path,
    as_json: bool,
    changes: Sequence[str],
    name: str | None,
    skip: Sequence[str],
) -> None:
    """Write for each step, or for one, what has changed since the nearest earlier build of it."""
    loaded = load_recipe(reference, changes, name)
    job, opened = make_job(loaded, skip), Store(store, is_read_only=True)
    steps = look_up(job, opened).steps
    known = [step.stage.name for step in steps]
    if stage is not None and stage not in known:
        raise UserError(f"`{stage}`: this recipe has no such step; there are {quote(known)}")
    chosen = [(step, find_before(step, opened)) for step in steps if stage in (None, step.stage.name)]
    if as_json:
        found = [describe(step, nearest, loaded, opened) for step, nearest in chosen]
        console.write_json({"recipe": job.name, "steps": found})
        return
    width = max(8, *(len(step.verdict) for step, _ in chosen))
    for step, nearest in chosen:
        head = (f"{step.verdict:<{width}}", f"{step.stage.name:<10}", say_before(step, nearest))
        console.write_rows([head], console.VERDICTS)
        rows = list(tabulate(step.stage, nearest, loaded, opened)) if nearest else []
        if rows:
            console.write("".join(f"    {line}\n" for line in console.align(rows).splitlines()))


def find_before(step: PlannedStep, store: Store) -> Nearest | None:
    """What the plan speaks of; for a step that is done, the nearest record that is older than its own."""
    if step.verdict != "done":
        return step.nearest
    records = store.records.list(step.stage.name)
    made = next((record.created for record in records if record.key == step.key), math.inf)
    return find_nearest(step.pre_image, [record for record in records if record.created < made])


def say_before(step: PlannedStep, nearest: Nearest | None) -> str:
    if step.verdict == "may run" or step.is_evicted:
        return step.reason
    if nearest is None and not step.block:
        return "not built before" if step.verdict == "will run" else "made once, and nothing before it"
    if nearest is None:
        return step.reason
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nearest.record.created))
    if step.block:
        return f"{step.reason}; beside what was made {made}:" if nearest.differences else step.reason
    return f"beside what was made {made}:" if nearest.differences else f"as it was made {made}: {step.reason}"


def tabulate(stage: Stage, nearest: Nearest, loaded: LoadedRecipe, store: Store) -> Iterator[Row]:
    """A row for each value, file, tool and module."""
    for difference in nearest.differences:
        if difference.path[0] != "code":
            yield name_value(stage, difference), *say_change(stage, difference, loaded)
            if difference.path[0] == "inputs":
                yield from ((f"  {file}", "", "") for file in list_files(difference, store.stat_cache))
    yield from ((f"gpt2forge's own code: {module}", "", "") for module in list_modules(nearest.differences))


def name_value(stage: Stage, difference: Difference) -> str:
    part, *rest = difference.path
    name = ".".join(rest)
    if part in ("section", "target"):
        return f"{stage.section if part == 'section' else part}.{name}"
    return f"{ORIGINS.get(part, part)} {name}".rstrip()


def say_change(stage: Stage, difference: Difference, loaded: LoadedRecipe) -> tuple[str, str]:
    part, *rest = difference.path
    if part == "inputs":
        return "changed", ""
    change = show_change(difference)
    keys = {"section": (str(stage.section), *rest), "target": ("target", *rest)}.get(part)
    return change, find_origin(loaded, keys) if keys else ""


def find_origin(loaded: LoadedRecipe, keys: Sequence[str]) -> str:
    """Where a value was said; "the default" where no file says it."""
    said = loaded.document.find(keys)
    return "the default" if said is None else str(said.place)


def describe(step: PlannedStep, nearest: Nearest | None, loaded: LoadedRecipe, store: Store) -> dict[str, Any]:
    """A step as JSON."""
    rows = list(tabulate(step.stage, nearest, loaded, store)) if nearest else []
    names = ("what", "change", "origin")
    return {**step.to_json(), "differences": [dict(zip(names, row, strict=True)) for row in rows]}
