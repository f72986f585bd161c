"""`gpt2forge build`: run what must run, publish, report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpt2forge import console
from gpt2forge.commands.output import BUILD
from gpt2forge.errors import UserError
from gpt2forge.executor.publish import publish
from gpt2forge.executor.run import run_job
from gpt2forge.outcome import Outcome
from gpt2forge.plan.job import Job
from gpt2forge.plan.recipe_job import make_job
from gpt2forge.progress import Emit, RunFinished
from gpt2forge.recipe import LoadedRecipe, load_recipe
from gpt2forge.report import make_report, read_report, write_report
from gpt2forge.store.store import Store


def build(
    references: Sequence[str],
    store: Path,
    as_json: bool,
    changes: Sequence[str],
    name: str | None,
    rerun: str | None,
    until: str | None,
) -> None:
    """Build the recipes one after the other; the first that fails ends it."""
    if changes and name is None:
        raise UserError("`--set` makes another recipe: say with `--name` what to publish it as")
    if name is not None and len(references) > 1:
        raise UserError("`--name` names one result; give one recipe")
    orders = [make_order(load_recipe(reference, changes, name)) for reference in references]
    for order in orders:
        with console.make_view(as_json) as view:
            report = build_one(order, Store(store), view.show, rerun, until)
        if not as_json and until is None:
            say_result(report)


def make_order(loaded: LoadedRecipe) -> Job:
    return make_job(loaded)


def build_one(
    order: Job, store: Store, emit: Emit, rerun: str | None = None, until: str | None = None
) -> dict[str, Any]:
    """Build one recipe, and write its report whatever comes of it; gives the report."""
    output = BUILD / order.name
    outcomes: list[Outcome] = []
    try:
        run_job(order, store, emit, outcomes, rerun, until)
        if until is None:
            publish(output, store.folder(str(outcomes[-1].digest)))
    except BaseException as error:
        report = make_report(order.name, output, outcomes, str(error) or type(error).__name__)
        save(report)
        emit(RunFinished(report))
        raise
    report = make_report(order.name, output, outcomes, None)
    if until is None and not is_unchanged(report):
        save(report)
    emit(RunFinished(report))
    return report


def save(report: dict[str, Any]) -> None:
    write_report(BUILD / f"{report['recipe']}.json", report)


def is_unchanged(report: dict[str, Any]) -> bool:
    """Whether nothing was made, and the report on disk tells of the same result."""
    saved = read_report(BUILD / f"{report['recipe']}.json")
    if saved is None or saved.get("error") is not None:
        return False
    made = any(step["outcome"] != "reused" for step in report["steps"])
    return not made and list_keys(saved) == list_keys(report)


def list_keys(report: dict[str, Any]) -> list[Any]:
    """The keys of a report's steps; a saved one may have been edited, and then holds none."""
    steps = report.get("steps")
    return [step.get("key") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def say_result(report: dict[str, Any]) -> None:
    share = ""
    if report["bytes"]:
        package, whole = report["bytes"]["package"], report["bytes"]["float32"]
        share = f"  {console.size(package)}, {package / whole:.1%} of float32"
    console.write(f"{report['output']}{share}\n")
