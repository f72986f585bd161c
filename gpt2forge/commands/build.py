"""`gpt2forge build`: run what must run, publish, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge import console
from gpt2forge.commands.lock import Lock, name_lock, read_lock, write_lock
from gpt2forge.commands.output import BUILD
from gpt2forge.commands.stamp import leave_stamp
from gpt2forge.commands.worth import (
    describe_fidelity,
    describe_size,
    describe_speed,
    describe_unmeasured,
    warn_of_few,
    warn_of_text,
)
from gpt2forge.errors import UserError
from gpt2forge.executor.publish import publish
from gpt2forge.executor.run import check_names, run_job
from gpt2forge.limits import check_context, check_limits
from gpt2forge.outcome import Outcome
from gpt2forge.plan.job import Job
from gpt2forge.plan.recipe_job import make_job
from gpt2forge.progress import Emit, RunFinished
from gpt2forge.recipe import LoadedRecipe, load_recipes, quote
from gpt2forge.report import make_report, read_report, write_report
from gpt2forge.stage import PACKAGE
from gpt2forge.store.roots import register
from gpt2forge.store.store import Store

STORE = Path("cache")


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    references: Sequence[str]
    store: Path = STORE
    as_json: bool = False
    changes: Sequence[str] = ()
    name: str | None = None
    rerun: str | None = None
    until: str | None = None
    skip: Sequence[str] = ()
    locked: bool = False
    relock: bool = False
    keep_going: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether `gpt2forge build NAME` would ask for the same."""
        return self.store == STORE and not (self.changes or self.name or self.skip)

    def check(self) -> None:
        """Raises UserError for options that make no sense together."""
        if self.changes and self.name is None:
            raise UserError("`--set` makes another recipe: say with `--name` what to publish it as")
        if self.name is not None and len(self.references) > 1:
            raise UserError("`--name` names one result; give one recipe")
        if self.relock and (self.locked or self.until or self.name):
            raise UserError(
                "`--write-lock` locks what a whole recipe comes to as it stands in its file; leave the rest out"
            )


def build(request: Request) -> None:
    """Build the recipes one after the other; the first that fails ends it, unless told to keep going."""
    request.check()
    loaded = load_recipes(request.references, request.changes, request.name)
    orders = [make_order(each, request.skip, request.locked) for each in loaded]
    failed: list[str] = []
    for number, order in enumerate(orders, 1):
        try:
            build_and_tell(order, request)
        except UserError as error:
            rest = [later.job.name for later in orders[number:]]
            if rest and not request.keep_going:
                raise UserError(f"{error}\n{quote(rest)}: not built after that; `--keep-going` does") from error
            if len(orders) == 1:
                raise
            console.say_error(str(error))
            failed.append(order.job.name)
    if failed:
        raise UserError(f"{quote(failed)}: failed, as told above")


def build_and_tell(order: "Order", request: Request) -> None:
    """Build one recipe, say what came of it, and leave what the next build goes by."""
    store = Store(request.store)
    with console.make_view(request.as_json) as view:
        report = build_one(order, store, view.show, request.rerun, request.until)
    if request.until is not None:
        return
    printed = describe_result(report)
    if request.relock:
        write_lock(name_lock(order.loaded.path), report["steps"])
    if request.is_plain:
        leave_stamp(order.loaded, order.job, store, report["steps"], (report["warnings"], printed))
    if not request.as_json:
        console.write(printed)


@dataclass(frozen=True)
class Order:
    """A recipe, the job that it asks for, and what it must come to, where that is locked."""

    loaded: LoadedRecipe
    job: Job
    lock: Lock | None = None

    def judge(self, outcome: Outcome) -> None:
        """Raises RecipeError when a step found what the recipe does not allow, or is not what its lock says."""
        if self.lock:
            self.lock.check(outcome)
        if "context" in outcome.metrics and any(stage.section == "benchmark" for stage in self.job.stages):
            check_context(self.loaded, outcome.metrics["context"])
        if "verify" in outcome.metrics:
            check_limits(self.loaded, outcome.metrics["verify"])


def make_order(loaded: LoadedRecipe, skip: Sequence[str] = (), locked: bool = False) -> Order:
    return Order(loaded, make_job(loaded, skip), read_lock(name_lock(loaded.path)) if locked else None)


def build_one(
    order: Order, store: Store, emit: Emit, rerun: str | None = None, until: str | None = None
) -> dict[str, Any]:
    """Build one recipe, and write its report whatever comes of it; gives the report."""
    job, output = order.job, BUILD / order.job.name
    outcomes: list[Outcome] = []
    notes: list[str] = []
    check_names(job, rerun, until)
    values = order.loaded.recipe.model_dump(mode="json")
    try:
        with store.hold():
            run_job(job, store, emit, outcomes, rerun, until, order.judge)
            if until is None:
                notes += keep(store, output, outcomes)
                publish(output, store.folder(find_package(job, outcomes)))
    except BaseException as error:
        said = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
        warnings = list_warnings(order, outcomes)
        if output.is_symlink():
            warnings.append(f"{output}: still is what an earlier build published")
        report = make_report(values, None, outcomes, warnings, said)
        save(report)
        emit(RunFinished(report))
        raise
    published = output if until is None else None
    report = make_report(values, published, outcomes, [*list_warnings(order, outcomes), *notes], None)
    if until is None and not is_unchanged(report):
        save(report)
    emit(RunFinished(report))
    return report


def keep(store: Store, output: Path, outcomes: Sequence[Outcome]) -> list[str]:
    """Note in the store what an output uses; gives a warning where that cannot be."""
    try:
        register(store, output, output.name, {each.stage: each.digest for each in outcomes if each.digest})
    except OSError as error:
        return [f"{store.root}: {error.strerror}: `gpt2forge store gc` will not know that {output} needs what is there"]
    return []


def list_warnings(order: Order, outcomes: Sequence[Outcome]) -> list[str]:
    """What makes the numbers say little."""
    if "text" not in order.job.sources:
        return []
    measured = [outcome.metrics["verify"]["positions"] for outcome in outcomes if "verify" in outcome.metrics]
    return [
        *warn_of_text(order.loaded),
        *(warning for count in measured for warning in warn_of_few(order.loaded, count)),
    ]


def find_package(job: Job, outcomes: Sequence[Outcome]) -> str:
    """The digest of what is published."""
    stage = next(stage.name for stage in job.stages if stage.writes == PACKAGE)
    return str(next(outcome.digest for outcome in outcomes if outcome.stage == stage))


def save(report: dict[str, Any]) -> None:
    write_report(BUILD / f"{report['recipe']}.json", report)


def is_unchanged(report: dict[str, Any]) -> bool:
    """Whether nothing was made, and the report on disk tells all that this one does; it may tell of skipped steps."""
    saved = read_report(BUILD / f"{report['recipe']}.json")
    if saved is None or any(saved.get(part) != report[part] for part in ("error", "values")):
        return False
    if any(step["outcome"] not in ("reused", "skipped") for step in report["steps"]):
        return False
    measured = ("bytes", "verify", "benchmark")
    is_told = all(report[part] is None or saved.get(part) == report[part] for part in measured)
    return is_told and list_keys(report).items() <= list_keys(saved).items()


def list_keys(report: dict[str, Any]) -> dict[Any, Any]:
    """The keys of a report's steps that were not skipped; a saved one may have been edited, and hold none."""
    steps = report.get("steps")
    found = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return {str(step.get("stage")): step.get("key") for step in found if step.get("outcome") != "skipped"}


def describe_result(report: dict[str, Any]) -> str:
    """What was published, and under it what it is worth, as far as that was measured."""
    share = f"  {describe_size(report)}" if report["bytes"] else ""
    parts = (describe_fidelity, describe_speed, describe_unmeasured)
    rows = [row for part in parts for row in part(report)]
    return f"{report['output']}{share}\n" + console.align(rows)
