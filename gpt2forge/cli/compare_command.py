"""`gpt2forge compare`: shows results side by side, and builds those that are missing first."""

from collections.abc import Sequence
from pathlib import Path

import click

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.condition import parse_condition
from gpt2forge.cli import console
from gpt2forge.cli.all_numbers import tabulate_all
from gpt2forge.cli.cases import list_condition_cases, list_verdict_cases
from gpt2forge.cli.compared_reports import take_reports
from gpt2forge.cli.comparison_page import make_comparison_page
from gpt2forge.cli.comparison_picture import check_matplotlib, draw_picture
from gpt2forge.cli.comparison_table import format_markdown, format_markdown_rows, format_table
from gpt2forge.cli.junit import format_junit
from gpt2forge.cli.options import json_option, skip_option, store_option
from gpt2forge.cli.output_file import check_output_file, file_option, write_output_file
from gpt2forge.errors import UserError


@click.command("compare")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@skip_option
@click.option("--all", "with_all", is_flag=True, help="Show all numbers too, and every key that differs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a Markdown table, for a pull request.")
@click.option(
    "--fail-if",
    "conditions",
    metavar="CONDITION",
    multiple=True,
    help="Exit with 1 if a result but the baseline meets this, as in `--fail-if 'perplexity > baseline * 1.01'`.",
)
@file_option("--junit", help="Write the verdicts as JUnit's XML, for CI.")
@file_option("--html", help="Write a page with charts and answers, in one file.")
@file_option("--png", help="Write the page's charts as a picture.")
@click.option("--prompt", "prompts", metavar="TEXT", multiple=True, help="Let each result answer this on the page.")
@store_option
@json_option
def compare(
    selectors: tuple[str, ...],
    skip: Sequence[str],
    with_all: bool,
    as_markdown: bool,
    conditions: tuple[str, ...],
    junit: Path | None,
    html: Path | None,
    png: Path | None,
    prompts: tuple[str, ...],
    store: Path,
    as_json: bool,
) -> None:
    """Compare results side by side; the first is the baseline. Missing ones are built. A saved report works too."""
    check_files([junit, html, png], prompts if html is None else ())
    if png:
        check_matplotlib()
    parsed = [parse_condition(text) for text in conditions]
    comparison = Comparison(take_reports(selectors, store, skip))
    if as_json:
        console.write_json(comparison.to_json())
    elif as_markdown:
        write_markdown(comparison, with_all)
    else:
        write_tables(comparison, with_all)
    cases = list(list_condition_cases(comparison, parsed))
    if junit:
        write_output_file(junit, format_junit([*list_verdict_cases(comparison), *cases]).encode())
    if html:
        write_output_file(html, make_comparison_page(comparison, store, prompts).encode())
    if png:
        write_output_file(png, draw_picture(comparison))
    failed = [f"{case.result}: {case.failure}" for case in cases if case.failure is not None]
    if failed:
        raise UserError(*failed)


def check_files(paths: Sequence[Path | None], unused: Sequence[str]) -> None:
    """Raise UserError, before anything is built, for a file that cannot be written, and for prompts without a page."""
    if unused:
        raise UserError("`--prompt` is for the page; add `--html FILE`")
    for path in paths:
        if path is not None:
            check_output_file(path)


def write_tables(comparison: Comparison, with_all: bool) -> None:
    """Write the tables on stdout and the remarks on stderr."""
    console.write(format_table(comparison))
    if with_all:
        console.write("\n")
        console.write_rows(list(tabulate_all(comparison)), {})
    for remark in comparison.remarks:
        console.warn(remark)


def write_markdown(comparison: Comparison, with_all: bool) -> None:
    """Write the tables as Markdown, with the remarks below the first; the remarks are on stderr too."""
    console.write(format_markdown(comparison))
    if with_all:
        console.write("\n" + "".join(f"{line}\n" for line in format_markdown_rows(list(tabulate_all(comparison)))))
    for remark in comparison.remarks:
        console.warn(remark)
