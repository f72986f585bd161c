"""`gpt2forge compare`: shows results side by side, and builds those that are missing first.

A result that cannot be measured here, because a tool is not installed, is shown from its saved report.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path

import click

from gpt2forge.builder.build import Build, choose_resources, make_build, run_build
from gpt2forge.builder.build_events import BuildEvent, RunFinished
from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.measurements import Accuracy, Interval, Speed
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import Report, list_keys, load_report, read_report
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, skip_option, store_option
from gpt2forge.cli.plan_command import plan_job
from gpt2forge.cli.run_view import RunView
from gpt2forge.cli.summary import describe_size
from gpt2forge.errors import RecipeError, UserError, quote
from gpt2forge.executor.events import StepFinished
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, format_blocked, format_needs, list_blocks
from gpt2forge.recipe.load import load_recipes
from gpt2forge.stages.stage import PACKAGE
from gpt2forge.store.roots import find_target
from gpt2forge.store.store import Store
from gpt2forge.units import format_size

Format = Callable[[Report], str]
"""Returns a cell of the table; NOTHING if the report lacks the number."""

NOTHING = "-"

Take = Callable[[Store], Report]
"""Returns a report from a store that is open for reading, or builds it first."""


@click.command("compare")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@skip_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a Markdown table, for a README.")
@store_option
@json_option
def compare(selectors: tuple[str, ...], store: Path, skip: Sequence[str], as_json: bool, as_markdown: bool) -> None:
    """Compare results side by side; the first is the baseline. Missing ones are built. A saved report works too."""
    # All recipes are checked before the first build begins.
    groups = groupby(selectors, lambda selector: selector.endswith(".json"))
    takes = [take for is_saved, group in groups for take in prepare(list(group), is_saved, skip)]
    if len(takes) < 2:
        raise UserError("`compare` needs two or more results; name another")
    opened = Store(store, is_read_only=True)
    comparison = Comparison([take(opened) for take in takes])
    if as_json:
        console.write_json(comparison.to_json())
    else:
        write_table(comparison, as_markdown)


def write_table(comparison: Comparison, as_markdown: bool) -> None:
    """Write the table on stdout and the remarks on stderr; a Markdown table has the remarks below it too."""
    rows = [["", *list_titles(comparison)], *tabulate(comparison)]
    if as_markdown:
        remarks = ["", *(f"* {remark}" for remark in comparison.remarks)] if comparison.remarks else []
        console.write("".join(f"{line}\n" for line in (*format_markdown(rows), *remarks)))
    else:
        console.write_rows(rows, {})
    for remark in comparison.remarks:
        console.warn(remark)


def prepare(selectors: Sequence[str], is_saved: bool, skip: Sequence[str]) -> list[Take]:
    """Return a function for each report, which reads the saved report or builds the recipe.

    Raises UserError, once for all recipes, if a recipe can neither be built completely nor be shown from its report.
    """
    if is_saved:
        return [prepare_saved(Path(selector)) for selector in selectors]
    takes: list[Take] = []
    blocked: list[StepsBlocked] = []
    for build in make_builds(selectors, skip):
        blocks = list_blocks(build.job)
        saved = find_saved(build) if blocks else None
        if saved is not None:
            takes.append(prepare_shown(build, saved))
        elif blocks:
            blocked.append(StepsBlocked(build.job, blocks))
        else:
            takes.append(prepare_build(build, skip))
    if blocked:
        raise UserError(*format_blocked(blocked, "compare again", "compare").splitlines())
    return takes


def make_builds(selectors: Sequence[str], skip: Sequence[str]) -> list[Build]:
    """Return the builds of the recipes; a checkpoint that was never fetched is fetched."""
    with RunView() as view:
        fetcher = SourceFetcher(view.show, takes_earlier=True)
        return [make_build(loaded, fetcher=fetcher, skip=skip) for loaded in load_recipes(selectors)]


def prepare_saved(path: Path) -> Take:
    saved = load_report(path)
    return lambda store: saved


def prepare_build(build: Build, skip: Sequence[str]) -> Take:
    # A build that skips a measurement must not publish: `--until` its last step.
    last = build.job.stages[-1].name if skip else None
    options = Options(resources=choose_resources())

    def take(store: Store) -> Report:
        done = find_done(build, store)
        if done is not None:
            return done
        reports: list[Report] = []
        with RunView() as view, suppress(RecipeError):  # a result beyond a limit has a report too
            emit = partial(follow, show=view.show, reports=reports)
            run_build(build, Store(store.root), emit=emit, options=options, until=last)
        return reports[0]

    return take


def find_done(build: Build, store: Store) -> Report | None:
    """Return the saved report of a published result whose steps are all done; None if something must be built."""
    saved = find_saved(build)
    if saved is None:
        return None
    steps = plan_job(build.job, store).steps
    keys = {step.stage.name: step.key for step in steps if step.verdict == "done"}
    packages = {step.digest for step in steps if step.stage.writes == PACKAGE}
    is_done = len(keys) == len(steps) and keys.items() <= list_keys(saved).items()
    if not is_done or find_target(store, BUILD / build.name) != packages:
        return None
    kept = tuple(step for step in saved.steps if step.stage in keys)
    reused = tuple(step.model_copy(update={"outcome": "reused", "reason": ""}) for step in kept)
    return saved.model_copy(update={"steps": reused}).leave_out([stage.name for stage in build.job.skipped])


def find_saved(build: Build) -> Report | None:
    """Return the saved report of a recipe if it describes a published result of the recipe's present values."""
    saved = read_report(name_report(build))
    return saved if saved and saved.error is None and saved.values == build.values else None


def name_report(build: Build) -> Path:
    return BUILD / f"{build.job.name}.json"


def prepare_shown(build: Build, saved: Report) -> Take:
    """Return a function that returns a saved report without the skipped parts.

    The function tells the user that the report is a saved one, and which steps have changed since.
    """

    def take(store: Store) -> Report:
        path = name_report(build)
        console.inform(f"{build.job.name}: shown as saved in {path}: {format_needs(list_blocks(build.job))}")
        changed = list_changed(build, saved, store)
        if changed:
            console.warn(f"{build.job.name}: out of date: {quote(changed)} changed after {path} was saved")
        return saved.leave_out([stage.name for stage in build.job.skipped])

    return take


def list_changed(build: Build, saved: Report, store: Store) -> list[str]:
    """Return the names of the steps whose keys differ from those of the saved report."""
    keys = list_keys(saved)
    steps = [step for step in plan_job(build.job, store).steps if step.key is not None]
    return [step.stage.name for step in steps if keys.get(step.stage.name) != step.key]


def follow(event: BuildEvent, show: Callable[[BuildEvent], None], reports: list[Report]) -> None:
    """Show an event unless it is a reused step, and keep the report."""
    if isinstance(event, RunFinished):
        reports.append(event.report)
    if not (isinstance(event, StepFinished) and event.outcome.outcome == "reused"):
        show(event)


def list_titles(comparison: Comparison) -> list[str]:
    first, *rest = comparison.names
    return [f"{first} (baseline)", *rest]


def tabulate(comparison: Comparison) -> Iterator[list[str]]:
    """Yield a row for each quantity that any result has, then one for each key that differs."""
    for name, form in ROWS.items():
        cells = [form(report) for report in comparison.reports]
        if any(cell != NOTHING for cell in cells):
            yield [name, *cells]
    if comparison.front_quantities:
        front = ["yes" if is_on else "no" for is_on in comparison.front]
        yield [f"on the Pareto front ({', '.join(comparison.front_quantities)})", *front]
    if len(comparison.hosts) > 1:
        yield ["host", *(format_host(report) for report in comparison.reports)]
    for key, values in comparison.differences.items():
        yield [f"`{key}`", *(NOTHING if value is None else str(value) for value in values)]


def format_markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    head, *body = rows
    for row in (head, ["---"] * len(head), *body):
        yield f"| {' | '.join(row)} |"


def format_host(report: Report) -> str:
    return report.benchmark.host.processor if report.benchmark else NOTHING


def format_package(report: Report) -> str:
    return describe_size(report.bytes) if report.bytes else NOTHING


def of_speed(form: Callable[[Speed], str]) -> Format:
    """Return a cell of `benchmark`."""
    return lambda report: form(report.benchmark) if report.benchmark else NOTHING


def of_accuracy(form: Callable[[Accuracy], str]) -> Format:
    """Return a cell of `verify`."""
    return lambda report: form(report.verify) if report.verify else NOTHING


def format_memory(speed: Speed) -> str:
    return f"{format_size(speed.peak_memory_bytes)} + {format_size(speed.mapped_memory_bytes)}"


def format_time(ours: float, spread: Interval, theirs: float) -> str:
    """Return milliseconds, their range in all rounds, and the share of PyTorch's in the same run."""
    least, largest = spread
    return f"{ours:.2f} ms [{least:.2f}..{largest:.2f}], {ours / theirs:.1%} of PyTorch"


def format_prompt(speed: Speed) -> str:
    return format_time(speed.prefill_ms, speed.spread.prefill_ms, speed.prefill_ms_reference)


def format_token(speed: Speed) -> str:
    return format_time(speed.token_ms, speed.spread.token_ms, speed.token_ms_reference)


ROWS: Mapping[str, Format] = {
    "size": format_package,
    "loads in": of_speed(lambda speed: f"{speed.load_s:.2f} s"),
    "memory, anonymous + mapped": of_speed(format_memory),
    "prompt": of_speed(format_prompt),
    "new token": of_speed(format_token),
    "perplexity, beside PyTorch": of_accuracy(
        lambda accuracy: f"{accuracy.perplexity:.2f}, {accuracy.perplexity_increase:+.3%}"
    ),
    "KL divergence": of_accuracy(lambda accuracy: f"{accuracy.kl_mean:.2e}"),
    "KL divergence, 99 %": of_accuracy(lambda accuracy: f"{accuracy.kl_p99:.2e}"),
    "same likeliest token": of_accuracy(lambda accuracy: f"{accuracy.top1_agreement:.2%}"),
}
