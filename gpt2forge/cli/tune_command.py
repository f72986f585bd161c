"""`gpt2forge tune`: finds the best recipe within limits and writes it."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.report import Report
from gpt2forge.cli import console
from gpt2forge.cli.ablate_command import show
from gpt2forge.cli.options import json_option, set_option, store_option
from gpt2forge.cli.run_view import RunView
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.recipe.lookup import locate
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.store import Store
from gpt2forge.tune.objective import OBJECTIVES, Objective
from gpt2forge.tune.recipe_text import check_place, describe_numbers, write_recipe_text
from gpt2forge.tune.tune_recipe import Tuned, Tuner
from gpt2forge.tune.tuning_limits import TuningLimits, choose_limits
from gpt2forge.units import parse_percentage, parse_size


def read_share(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Read a percentage, as in `0.5%`."""
    share = None if text is None else parse_percentage(text)
    if text is not None and share is None:
        raise click.BadParameter("must be a percentage, as in `0.5%`")
    return share


def read_bytes(context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Read a size, as in `500MB`."""
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("tune")
@click.argument("selector", metavar="RECIPE")
@set_option
@click.option(
    "--objective",
    metavar="AIM",
    type=click.Choice(list(OBJECTIVES)),
    default="size",
    help="What to make best within the limits: `size`, `latency` (of a token), `prefill` (of a prompt), `throughput` "
    "(of 8 texts at once), `memory`, or `accuracy` (the least divergence).",
)
@click.option("--max-kl", metavar="NATS", type=click.FloatRange(0, min_open=True), help="Limit on KL, in nats a token.")
@click.option(
    "--max-perplexity-increase", metavar="SHARE", callback=read_share, help="Limit on perplexity, as in `0.5%`."
)
@click.option("--max-size", metavar="SIZE", callback=read_bytes, help="Limit on the package, as in `500MB`.")
@click.option("--name", metavar="NAME", help="Write `recipes/NAME.yaml`. Default: the recipe's name and `-tuned`.")
@store_option
@json_option
def tune(
    selector: str,
    changes: tuple[str, ...],
    objective: str,
    max_kl: float | None,
    max_perplexity_increase: float | None,
    max_size: int | None,
    name: str | None,
    store: Path,
    as_json: bool,
) -> None:
    """Choose bits and block of each weight within limits, and write the recipe. Goes on where it stopped."""
    own_name = load_recipe(selector).own_name
    start = load_recipe(selector, changes, f"{own_name}-changed" if changes else None)
    limits = choose_limits(start, max_kl, max_perplexity_increase, max_size)
    chosen = name or f"{own_name.replace('@', '-')}-tuned"
    place = locate(chosen)
    check_place(place)
    tuned = run(start, chosen, OBJECTIVES[objective], limits, Store(store))
    write_whole(place, write_recipe_text(tuned, format_command(selector, changes, objective, limits)).encode())
    write_result(tuned, place, as_json)


def run(start: LoadedRecipe, name: str, objective: Objective, limits: TuningLimits, store: Store) -> Tuned:
    """Tune a recipe and show the progress."""
    with RunView() as view:
        emit = partial(show, view=view)
        SourceFetcher(emit).fetch(start)
        return Tuner(start, name, objective, limits, store, emit, tell=view.inform).tune()


def format_command(selector: str, changes: Sequence[str], objective: str, limits: TuningLimits) -> str:
    """Return the words of the command that asks for this."""
    increase = None if limits.increase is None else f"{100 * limits.increase:g}%"
    given: dict[str, Any] = {"max-kl": limits.kl, "max-perplexity-increase": increase, "max-size": limits.size}
    options = [f"--{key} {value}" for key, value in given.items() if value is not None]
    return " ".join([selector, *(f"--set {change}" for change in changes), f"--objective {objective}", *options])


def write_result(tuned: Tuned, place: Path, as_json: bool) -> None:
    """Write what was found, beside the recipe where the search began."""
    if as_json:
        describe: Callable[[Report], dict[str, Any]] = Report.to_json
        tried = [describe(each.report) for each in tuned.tried]
        found = {"recipe": str(place), "start": describe(tuned.start), "tuned": describe(tuned.report), "tried": tried}
        console.write_json(found)
        return
    rows = [(tuned.start.recipe, describe_numbers(tuned.start)), (str(place), describe_numbers(tuned.report))]
    console.write_rows(rows, {})
