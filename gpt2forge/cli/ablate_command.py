"""`gpt2forge ablate`: tells what each fusion and each choice of quantization in a recipe buys."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from gpt2forge.builder.build_events import BuildEvent
from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.report import Report
from gpt2forge.cli import console
from gpt2forge.cli.compared_reports import follow
from gpt2forge.cli.comparison_page import make_comparison_page
from gpt2forge.cli.comparison_table import format_markdown_rows
from gpt2forge.cli.options import json_option, set_option, store_option
from gpt2forge.cli.output_file import check_output_file, file_option, write_output_file
from gpt2forge.cli.run_view import RunView
from gpt2forge.errors import UserError
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.store.store import Store
from gpt2forge.tune.ablations import AblatedRecipe, ablate
from gpt2forge.tune.effect import Effect, compute_effect, refuse_effect
from gpt2forge.tune.effect_words import HEAD, tabulate_effect
from gpt2forge.tune.run_variants import run_variants

NAME = "ablation"  # of a recipe with `--set`, which is not published


@click.command("ablate")
@click.argument("selector", metavar="RECIPE")
@set_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a Markdown table, for a README.")
@file_option("--html", help="Write a page with charts of what each choice buys, in one file.")
@store_option
@json_option
def ablate_command(
    selector: str, changes: tuple[str, ...], store: Path, as_json: bool, as_markdown: bool, html: Path | None
) -> None:
    """Turn off each fusion and each choice of quantization, one at a time, and show what it buys."""
    if html:
        check_output_file(html)
    loaded = load_recipe(selector, changes, NAME if changes else None)
    ablated = ablate(loaded)
    if not ablated:
        raise UserError(f"{loaded.recipe.name}: has no fusion and no quantization that could be turned off")
    effects, reports = measure(loaded, ablated, Store(store))
    if as_json:
        values = [effect.to_json() for effect in effects]
        console.write_json({"recipe": loaded.recipe.name, "effects": values})
    elif as_markdown:
        console.write("".join(f"{line}\n" for line in format_markdown_rows([HEAD, *map(tabulate_effect, effects)])))
    else:
        console.write_rows([HEAD, *map(tabulate_effect, effects)], {})
    if html:
        compared = Comparison([report for report in reports if report.error is None])
        write_output_file(html, make_comparison_page(compared, store, (), effects).encode())
    for remark in list_remarks(effects, reports):
        console.warn(remark)


def measure(loaded: LoadedRecipe, ablated: Sequence[AblatedRecipe], store: Store) -> tuple[list[Effect], list[Report]]:
    """Measure a recipe with and without each choice, in one run; return the effects and all reports."""
    recipes = [loaded, *(each.loaded for each in ablated if each.loaded)]
    with RunView([each.recipe.name for each in recipes]) as view:
        emit = partial(show, view=view)
        SourceFetcher(emit).fetch(loaded)
        reports = run_variants(recipes, store, emit)
    having, *others = reports
    lacking = iter(others)
    effects = [
        compute_effect(each.choice, having, next(lacking)) if each.loaded else refuse_effect(each.choice, each.refusal)
        for each in ablated
    ]
    return effects, reports


def show(event: BuildEvent, view: RunView) -> None:
    """Show an event unless it is a reused step."""
    follow(event, view.show, [])


def list_remarks(effects: Sequence[Effect], reports: Sequence[Report]) -> Iterator[str]:
    """Yield which choices could not be turned off, and what disturbed the times."""
    for effect in effects:
        if effect.refusal:
            yield f"`{effect.choice}` cannot be turned off alone: {effect.refusal}"
    noisy = [report for report in reports if report.benchmark and report.benchmark.noise]
    if noisy:
        yield f"{len(noisy)} of {len(reports)} measurements of time were disturbed, so their intervals are wide"
