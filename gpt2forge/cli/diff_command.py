"""`gpt2forge diff`: compares two recipes key by key, and lists the steps that they share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gpt2forge.builder.comparison import OWN
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, skip_option, store_option
from gpt2forge.cli.plan_command import plan_jobs
from gpt2forge.cli.recipe_command import list_values
from gpt2forge.errors import UserError
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import format_value
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.recipe.lookup import list_names
from gpt2forge.store.store import Store


@click.command("diff")
@click.argument("selector", metavar="RECIPE")
@click.argument("other", metavar="OTHER")
@skip_option
@store_option
@json_option
def diff(selector: str, other: str, skip: Sequence[str], store: Path, as_json: bool) -> None:
    """Show in which keys two recipes differ, and the steps they share."""
    loaded = load_two(selector, other)
    opened = Store(store, is_read_only=True)
    one, other_steps = (each.steps for each in plan_jobs(make_jobs(loaded, skip), opened))
    shared = find_shared(one, other_steps)
    keys = find_keys(*({".".join(value.keys): value.said for value in list_values(each)} for each in loaded))
    names = [each.recipe.name for each in loaded]
    if as_json:
        console.write_json({"recipes": names, "keys": keys, "shared": shared})
        return
    rows = [[key, *(format_value(value) for value in values)] for key, values in keys.items()]
    console.write_rows([["", *names], *rows], {})
    console.write(f"shared steps: {', '.join(shared) or 'none'}\n")


def load_two(*selectors: str) -> list[LoadedRecipe]:
    """Load the recipes that the selectors name; raise UserError unless they are two."""
    loaded = load_recipes(selectors)
    if len(loaded) != 2:
        names = list_names([each.own_name for each in loaded])
        raise UserError(f"`diff` needs two recipes, and {len(loaded)} are named{names}")
    return loaded


def find_keys(left: dict[str, Any], right: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the dotted keys that differ, with both values as the recipes write them; None for a missing value."""
    keys = (key for key in dict.fromkeys([*left, *right]) if key not in OWN)
    return {key: [left.get(key), right.get(key)] for key in keys if left.get(key) != right.get(key)}


def find_shared(one: Sequence[PlannedStep], other: Sequence[PlannedStep]) -> list[str]:
    """Return the names of the steps that are the same in both plans, built or not."""
    identities = {step.identity for step in other}
    return [step.stage.name for step in one if step.identity in identities]
