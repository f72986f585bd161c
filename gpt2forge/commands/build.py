"""`gpt2forge build`: run what must run, publish, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge import console
from gpt2forge.commands.lock import name_lock, write_lock
from gpt2forge.commands.order import Order, Run, build_orders, choose_means, make_order
from gpt2forge.commands.stamp import leave_stamp
from gpt2forge.commands.store import list_outputs, shrink
from gpt2forge.commands.worth import describe_fidelity, describe_size, describe_speed, describe_unmeasured
from gpt2forge.errors import UserError
from gpt2forge.executor.run import Options
from gpt2forge.recipe import load_recipes, quote
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
        if self.relock and (self.locked or self.until or self.name):
            raise UserError(
                "`--write-lock` locks what a whole recipe comes to as it stands in its file; leave the rest out"
            )


def build(request: Request) -> None:
    """Build the recipes in one run: a step that several share is made once, and each is published when it is ready."""
    request.check()
    loaded = load_recipes(request.references, request.changes, request.name)
    orders = [make_order(each, request.skip, request.locked, request.assumed) for each in loaded]
    store = Store(request.store)
    with make_view(orders, request.as_json) as view:
        runs = build_orders(orders, store, view.show, request.options, request.until)
    shrunk = shrink(store, list_outputs(), load_settings())
    if shrunk:
        console.say(shrunk)
    for run in runs if request.until is None else ():
        if run.report and run.track.error is None:
            leave_result(run.order, run.report, store, request)
    say_failures(runs)


def make_view(orders: Sequence[Order], as_json: bool) -> console.RunView | console.JsonView:
    names = [order.job.name for order in orders]
    return console.make_view(as_json, names, sum(len(order.job.all_stages) for order in orders))


def leave_result(order: Order, report: dict[str, Any], store: Store, request: Request) -> None:
    """Say what came of a recipe, and leave what the next build goes by."""
    printed = describe_result(report)
    if request.relock:
        write_lock(name_lock(order.loaded), report["steps"])
    if request.is_plain:
        leave_stamp(order.loaded, order.job, store, report["steps"], (report["warnings"], printed))
    if not request.as_json:
        console.write(printed)


def say_failures(runs: Sequence[Run]) -> None:
    """Raise what ended a build; of several recipes tell each failure, and which were not built after it."""
    errors = list({id(run.track.error): run.track.error for run in runs if run.track.error is not None}.values())
    for error in errors:
        if len(runs) == 1 or not isinstance(error, UserError):
            raise error
        console.say_error(str(error))
    unbuilt = [run.order.job.name for run in runs if run.report is None]
    if unbuilt:
        raise UserError(f"{quote(unbuilt)}: not built after that; `--keep-going` does")
    if errors:
        failed = [run.order.job.name for run in runs if run.track.error is not None]
        raise UserError(f"{quote(failed)}: failed, as told above")


def describe_result(report: dict[str, Any]) -> str:
    """What was published, and under it what it is worth, as far as that was measured."""
    share = f"  {describe_size(report)}" if report["bytes"] else ""
    parts = (describe_fidelity, describe_speed, describe_unmeasured)
    rows = [row for part in parts for row in part(report)]
    return f"{report['output']}{share}\n" + console.align(rows)
