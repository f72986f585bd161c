"""`gpt2forge compare`: what was built side by side; what is missing is built first.

A result that cannot be measured here, because a tool is not installed, is shown as its report was saved.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from gpt2forge.builder.build import Order, build_one, choose_means, make_order
from gpt2forge.builder.comparison import Comparison, find
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import list_keys, read_report
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, skip_option, store_option
from gpt2forge.cli.plan_command import plan_job
from gpt2forge.cli.run_view import RunView
from gpt2forge.cli.summary import describe_size
from gpt2forge.errors import RecipeError, UserError, quote
from gpt2forge.executor.events import Event, RunFinished, StepFinished
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, list_blocks, say_needs, tell_blocked
from gpt2forge.recipe.load import load_recipes
from gpt2forge.store.store import Store
from gpt2forge.units import format_size

Report = Mapping[str, Any]
Show = Callable[[Report], str]
"""Takes a report, gives what stands in the table."""

Take = Callable[[Store], Report]
"""Gives a report once there is a store."""


@click.command("compare")
@click.argument("references", metavar="RECIPE...", nargs=-1, required=True)
@skip_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a Markdown table, for a README.")
@store_option
@json_option
def compare(references: tuple[str, ...], store: Path, skip: Sequence[str], as_json: bool, as_markdown: bool) -> None:
    """Compare results side by side; the first is the baseline. Missing ones are built. A saved report works too."""
    # Every fault of a recipe shows before the first build begins.
    groups = groupby(references, lambda reference: reference.endswith(".json"))
    takes = [take for is_saved, group in groups for take in prepare(list(group), is_saved, skip)]
    if len(takes) < 2:
        raise UserError("one result has nothing to stand beside; name two or more")
    comparison = Comparison([take(Store(store)) for take in takes])
    if as_json:
        console.write_json(comparison.to_json())
        return
    rows = [["", *title(comparison)], *tabulate(comparison)]
    if as_markdown:
        remarks = ["", *(f"* {remark}" for remark in comparison.remarks)] if comparison.remarks else []
        console.write("".join(f"{line}\n" for line in (*write_markdown(rows), *remarks)))
    else:
        console.write_rows(rows, {})
    for remark in comparison.remarks:
        console.warn(remark)


def prepare(references: Sequence[str], is_saved: bool, skip: Sequence[str]) -> list[Take]:
    """Prepare what gives each report: the saved one, or a build of the recipe, one after the other.

    Raises UserError, for all recipes at once, where one can be neither built to its end nor shown as it was saved.
    """
    if is_saved:
        return [prepare_saved(Path(reference)) for reference in references]
    takes: list[Take] = []
    blocked: list[StepsBlocked] = []
    for order in [make_order(loaded, skip) for loaded in load_recipes(references)]:
        blocks = list_blocks(order.job)
        saved = find_saved(order) if blocks else None
        if saved is not None:
            takes.append(prepare_shown(order, saved))
        elif blocks:
            blocked.append(StepsBlocked(order.job, blocks))
        else:
            takes.append(prepare_build(order, skip))
    if blocked:
        raise UserError(tell_blocked(blocked, "compare again", "compare"))
    return takes


def prepare_saved(path: Path) -> Take:
    saved = read_saved(path)
    return lambda store: saved


def prepare_build(order: Order, skip: Sequence[str]) -> Take:
    last = order.job.stages[-1].name if skip else None  # what is not measured is looked at, not published
    options = Options(choose_means())

    def take(store: Store) -> Report:
        reports: list[Report] = []
        with RunView() as view, suppress(RecipeError):  # what is beyond a limit is shown, and that it is
            build_one(order, store, lambda event: follow(event, view.show, reports), options, last)
        return reports[0]

    return take


def find_saved(order: Order) -> Report | None:
    """The saved report of a recipe, if it tells of a result of the recipe as it is now; None else."""
    try:
        saved = read_saved(name_report(order))
    except UserError:
        return None
    return saved if saved.get("error") is None and saved.get("values") == order.values else None


def name_report(order: Order) -> Path:
    return BUILD / f"{order.job.name}.json"


def prepare_shown(order: Order, saved: Report) -> Take:
    """Prepare to give a saved report without what is skipped, saying that it is saved and whether it is out of date."""

    def take(store: Store) -> Report:
        path = name_report(order)
        console.inform(f"{order.job.name}: shown as saved in {path}: {say_needs(list_blocks(order.job))}")
        keys = list_keys(saved)
        steps = [step for step in plan_job(order.job, store) if step.key is not None]
        changed = [step.stage.name for step in steps if keys.get(step.stage.name) != step.key]
        if changed:
            console.warn(f"{order.job.name}: out of date: {quote(changed)} changed after {path} was saved")
        return {**saved, **{stage.name: None for stage in order.job.skipped if stage.name in saved}}

    return take


def read_saved(path: Path) -> Report:
    """A report from a file, which somebody may have edited; raises UserError unless a table can be made of it."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such report")
    try:
        report = read_report(path)
        assert report is not None
        alone = Comparison([report, report])
        list(tabulate(alone))
        alone.to_json()
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not a report of this version of gpt2forge; `build/NAME.json` is one") from error
    return report


def follow(event: Event, show: Callable[[Event], None], reports: list[Report]) -> None:
    """Show what is news, which what is there already is not; keep the report."""
    if isinstance(event, RunFinished):
        reports.append(event.report)
    if not (isinstance(event, StepFinished) and event.outcome.outcome == "reused"):
        show(event)


def title(comparison: Comparison) -> list[str]:
    return [f"{name} (baseline)" if not index else name for index, name in enumerate(comparison.names)]


def tabulate(comparison: Comparison) -> Iterator[list[str]]:
    """A row for each quantity that any result has, then for each key that differs."""
    reports = comparison.reports
    for name, show in ROWS.items():
        cells = [show(report) for report in reports]
        if any(cell != "-" for cell in cells):
            yield [name, *cells]
    if comparison.front_quantities:
        front = ["yes" if is_on else "no" for is_on in comparison.front]
        yield [f"on the Pareto front ({', '.join(comparison.front_quantities)})", *front]
    if len(comparison.hosts) > 1:
        numbers = [find(report, ("benchmark", "host")) for report in reports]
        yield ["host", *(host["processor"] if host else "-" for host in numbers)]
    for key, values in comparison.differences.items():
        yield [f"`{key}`", *("-" if value is None else str(value) for value in values)]


def write_markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    head, *body = rows
    for row in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(row)} |"


def say_size(report: Report) -> str:
    return describe_size(report) if find(report, ("bytes", "package")) is not None else "-"


def say_memory(report: Report) -> str:
    benchmark = report.get("benchmark")
    if not benchmark:
        return "-"
    return f"{format_size(benchmark['peak_memory_bytes'])} + {format_size(benchmark['mapped_memory_bytes'])}"


def say_load(report: Report) -> str:
    seconds = find(report, ("benchmark", "load_s"))
    return "-" if seconds is None else f"{seconds:.2f} s"


def make_time(name: str) -> Show:
    """Milliseconds with their spread, and the share of PyTorch's in the same run."""

    def say(report: Report) -> str:
        benchmark = report.get("benchmark")
        if not benchmark:
            return "-"
        least, largest = benchmark["spread"][name]
        share = benchmark[name] / benchmark[f"{name}_reference"]
        return f"{benchmark[name]:.2f} ms [{least:.2f}..{largest:.2f}], {share:.1%} of PyTorch"

    return say


def say_perplexity(report: Report) -> str:
    verify = report.get("verify")
    return f"{verify['perplexity']:.2f}, {verify['perplexity_increase']:+.3%}" if verify else "-"


def make_number(path: tuple[str, str], form: str) -> Show:
    def say(report: Report) -> str:
        value = find(report, path)
        return "-" if value is None else f"{value:{form}}"

    return say


ROWS: Mapping[str, Show] = {
    "size": say_size,
    "loads in": say_load,
    "memory, anonymous + mapped": say_memory,
    "prompt": make_time("prefill_ms"),
    "new token": make_time("token_ms"),
    "perplexity, beside PyTorch": say_perplexity,
    "KL divergence": make_number(("verify", "kl_mean"), ".2e"),
    "KL divergence, 99 %": make_number(("verify", "kl_p99"), ".2e"),
    "same likeliest token": make_number(("verify", "top1_agreement"), ".2%"),
}
