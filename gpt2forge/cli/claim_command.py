"""`gpt2forge claim`: tests the promise of a small, fast model without a noticeable loss on a result."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from gpt2forge.builder.badge import draw_badge
from gpt2forge.builder.claim import ClaimedNumber, Promise, assess_claim
from gpt2forge.builder.report import Report
from gpt2forge.cli import console
from gpt2forge.cli.compared_reports import prepare
from gpt2forge.cli.options import json_option, store_option
from gpt2forge.errors import UserError, quote
from gpt2forge.recipe.load import load_recipe
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.store import Store

PASS, FAIL = "pass", "FAIL"
COLOURS = {PASS: "green", FAIL: "red"}


@click.command("claim")
@click.argument("selector", metavar="RECIPE")
@click.option(
    "--badge", metavar="FILE", type=click.Path(path_type=Path), help="Write the verdict as an SVG picture to FILE."
)
@store_option
@json_option
def claim(selector: str, badge: Path | None, store: Path, as_json: bool) -> None:
    """Test the promise: a quarter of the size, half of the wait, no loss that a reader would notice."""
    report = take_report(selector, store)
    promises = assess_claim(report)
    if badge:
        write_whole(badge, draw_badge("gpt2forge", describe_shortly(promises), all_pass(promises)).encode())
    if as_json:
        values = [promise.to_json() for promise in promises]
        console.write_json({"recipe": report.recipe, "passes": all_pass(promises), "promises": values})
    else:
        console.write_rows([row for promise in promises for row in tabulate(promise)], COLOURS)
    for remark in list_remarks(report, promises):
        console.warn(remark)
    failed = [promise.name for promise in promises if not promise.passes]
    if failed:
        raise UserError(f"{report.recipe}: the promise does not hold for {quote(failed)} on this host")


def take_report(selector: str, store: Path) -> Report:
    """Return the report of one recipe, which is built first if necessary, or a saved report by its path."""
    is_saved = selector.endswith(".json")
    if not is_saved:
        load_recipe(selector)  # refuses a selector of several
    (take,) = prepare([selector], is_saved, skip=())
    return take(Store(store, is_read_only=True))


def all_pass(promises: Sequence[Promise]) -> bool:
    return all(promise.passes for promise in promises)


def tabulate(promise: Promise) -> Iterator[tuple[str, ...]]:
    """Yield a row for each number of a promise; the first one names the promise."""
    heads = [(format_verdict(promise.passes), promise.name, promise.text)]
    if not promise.numbers:
        yield (*heads[0], "", "")
    for number in promise.numbers:
        head = heads.pop() if heads else ("", "", "")
        yield (*head, number.name, describe_number(number))


def format_verdict(passes: bool) -> str:
    return PASS if passes else FAIL


def describe_number(number: ClaimedNumber) -> str:
    """Return a number with its interval and its limit."""
    low, high = number.interval
    interval = f" [{format_number(number, low)}, {format_number(number, high)}] ({number.confidence:.0%})"
    shown = "" if low == high else interval
    return f"{format_number(number, number.value)}{shown}, at most {format_number(number, number.limit)}"


def format_number(number: ClaimedNumber, value: float) -> str:
    return f"{value:.2%}" if number.is_share else f"{value:.2e}"


def describe_shortly(promises: Sequence[Promise]) -> str:
    """Return the verdict for a badge: the change of size and waits, and the divergence."""
    values = {number.name: number.value for promise in promises for number in promise.numbers}
    words = [f"{name} {value - 1:+.0%}" for name, value in values.items() if name in ("size", "prompt", "token")]
    words += [f"KL {values['KL']:.1e}"] if "KL" in values else []
    return f"{' '.join(words)}: {'pass' if all_pass(promises) else 'fail'}"


def list_remarks(report: Report, promises: Sequence[Promise]) -> Iterator[str]:
    """Yield why numbers are doubtful, and why the result is not published."""
    yield from (f"{promise.name}: {doubt}" for promise in promises for doubt in promise.doubts)
    yield from report.benchmark.noise if report.benchmark else ()
    yield from (f"was not published: {line}" for line in (report.error or "").splitlines())
