"""`gpt2forge build`: run what must run, publish, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.builder.build import Order, Run, build_orders, choose_means, make_order
from gpt2forge.builder.lockfile import name_lock, write_lock
from gpt2forge.builder.report import Report
from gpt2forge.builder.write_stamp import leave_stamp
from gpt2forge.cli import console
from gpt2forge.cli.store_command import list_outputs, shrink
from gpt2forge.cli.summary import describe_numbers, describe_size
from gpt2forge.errors import UserError, is_mendable, quote, say_refusal
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, tell_blocked
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.settings import load_settings
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
    jobs: int | None = None
    assumed: Sequence[str] = ()

    @property
    def is_plain(self) -> bool:
        """Whether `gpt2forge build NAME` would ask for the same."""
        return self.store == STORE and not (self.changes or self.name or self.skip or self.assumed)

    @property
    def options(self) -> Options:
        return Options(choose_means(self.jobs), self.rerun, self.keep_going)

    def check(self) -> None:
        """Raises UserError for options that make no sense together."""
        if self.changes and self.name is None:
            raise UserError("`--set` makes another recipe: say with `--name` what to publish it as")
        if self.name is not None and len(self.references) > 1:
            raise UserError("`--name` names one result; give one recipe")
        if self.locked and self.assumed:
            raise UserError("`--locked` and `--assume-equivalent`: what is assumed has other keys; leave out one")
        if self.relock and (self.locked or self.until or self.name or self.assumed):
            raise UserError(
                "`--write-lock` locks what a whole recipe comes to as it stands in its file; leave the rest out"
            )


def build(request: Request) -> None:
    """Build the recipes in one run: a step that several share is made once, and each is published when it is ready."""
    request.check()
    loaded = load_recipes(request.references, request.changes, request.name)
    orders, refused = take_orders(loaded, request)
    store = Store(request.store)
    with make_view(orders, request.as_json) as view:
        runs = build_orders(orders, store, view.show, request.options, request.until)
    is_well = not refused and all(run.ended_well for run in runs)
    shrunk = shrink(store, list_outputs(), load_settings()) if is_well and request.until is None else None
    if shrunk:
        console.say(shrunk)
    for run in runs if request.until is None else ():
        if run.report and run.ended_well:
            leave_result(run.order, run.report, store, request)
    if request.until is not None and any(run.ended_well for run in runs):
        console.say(f"`--until {request.until}`: nothing was published")
    say_failures(runs, refused)


def take_orders(loaded: Sequence[LoadedRecipe], request: Request) -> tuple[list[Order], dict[str, UserError]]:
    """The orders, and by name the recipes that cannot begin, for their checkpoint is not there, say.

    Raises what is wrong with those, of all at once, unless others can be built and the request is to keep going.
    """
    orders, refused = [], {}
    for each in loaded:
        try:
            orders.append(make_order(each, request.skip, request.locked, request.assumed))
        except UserError as error:
            refused[each.recipe.name] = error
    if refused and not (orders and request.keep_going):
        raise UserError("\n".join(list_messages(refused)))
    return orders, refused


def make_view(orders: Sequence[Order], as_json: bool) -> console.RunView | console.JsonView:
    names = [order.job.name for order in orders]
    return console.make_view(as_json, names, sum(len(order.job.all_stages) for order in orders))


def leave_result(order: Order, report: Report, store: Store, request: Request) -> None:
    """Say what came of a recipe, and leave what the next build goes by."""
    printed = describe_result(report)
    if request.relock:
        write_lock(name_lock(order.loaded), report.steps)
    if request.is_plain:
        leave_stamp(order.loaded, order.job, store, report.steps, (list(report.warnings), printed))
    if not request.as_json:
        console.write(printed)


def say_failures(runs: Sequence[Run], refused: Mapping[str, UserError]) -> None:
    """Raise what ended a build; of several recipes tell each failure, and which were not built after it.

    Steps whose tools are not installed are told once for all recipes.
    """
    failed = {**refused, **{run.order.job.name: run.track.error for run in runs if run.track.error is not None}}
    if failed and len(runs) + len(refused) == 1:
        raise next(iter(failed.values()))
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    if blocked and len(blocked) == len(failed):
        raise UserError(tell_blocked(blocked))
    for message in list_messages(failed):
        console.say_error(message)
    for error in failed.values():
        if not is_mendable(error):
            raise error
    unbuilt = [run.order.job.name for run in runs if run.track.is_open]
    if unbuilt:
        raise UserError(f"{quote(unbuilt)}: not built after that; `--keep-going` does")
    if failed:
        raise UserError(f"{quote(list(failed))}: failed, as told above")


def list_messages(failed: Mapping[str, BaseException]) -> list[str]:
    """Each line of what a user can mend once, though several recipes met it; what names no place names the recipe.

    Steps whose tools are not installed come last.
    """
    lines: dict[str, None] = {}
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    for name, error in failed.items():
        if isinstance(error, StepsBlocked):
            continue
        if isinstance(error, UserError):
            lines |= dict.fromkeys(str(error).splitlines())
        elif isinstance(error, OSError) and is_mendable(error):
            lines[f"{name}: {say_refusal(error)}"] = None
    return [*lines, *tell_blocked(blocked).splitlines()]


def describe_result(report: Report) -> str:
    """Return the published path with its size, and below it the numbers that were measured."""
    share = f"  {describe_size(report.bytes)}" if report.bytes else ""
    return f"{report.output}{share}\n" + console.align(list(describe_numbers(report)))
