"""`gpt2forge diff`: two recipes key by key, and which steps they share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpt2forge.builder.comparison import OWN
from gpt2forge.cli import console
from gpt2forge.cli.plan_command import look_up
from gpt2forge.cli.recipe_command import list_values
from gpt2forge.errors import UserError
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import show
from gpt2forge.recipe.load import load_recipes
from gpt2forge.recipe.lookup import list_names
from gpt2forge.store.store import Store


def diff(references: tuple[str, str], store: Path, as_json: bool, skip: Sequence[str]) -> None:
    """Write the keys whose values differ, then the steps of which one artifact serves both."""
    loaded = load_recipes(references)
    if len(loaded) != 2:
        raise UserError(
            f"two recipes are needed, and {len(loaded)} are meant{list_names([each.own_name for each in loaded])}"
        )
    opened = Store(store, is_read_only=True)
    one, other = (look_up(make_job(each, skip), opened).steps for each in loaded)
    shared = find_shared(one, other)
    keys = find_keys(*({".".join(value.keys): value.said for value in list_values(each)} for each in loaded))
    names = [each.recipe.name for each in loaded]
    if as_json:
        console.write_json({"recipes": names, "keys": keys, "shared": shared})
        return
    rows = [[key, *(show(value) for value in values)] for key, values in keys.items()]
    console.write_rows([["", *names], *rows], {})
    console.write(f"shared steps: {', '.join(shared) or 'none'}\n")


def find_keys(left: dict[str, Any], right: dict[str, Any]) -> dict[str, list[Any]]:
    """The dotted keys that differ, with both values as the recipes say them; None where one has no such value."""
    keys = (key for key in dict.fromkeys([*left, *right]) if key not in OWN)
    return {key: [left.get(key), right.get(key)] for key in keys if left.get(key) != right.get(key)}


def find_shared(one: Sequence[PlannedStep], other: Sequence[PlannedStep]) -> list[str]:
    """The steps that are the same, whether they are made yet or not."""
    identities = {step.identity for step in other}
    return [step.stage.name for step in one if step.identity in identities]
