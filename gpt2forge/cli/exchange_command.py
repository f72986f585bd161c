"""`gpt2forge store push` and `store pull`: exchange what recipes need with remote levels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from gpt2forge.builder.exchange import pull_recipes, push_recipes
from gpt2forge.builder.open_store import open_store
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, remote_option, store_option
from gpt2forge.cli.run_view import RunView
from gpt2forge.errors import UserError, quote
from gpt2forge.recipe.load import load_recipes
from gpt2forge.remote.signing import VARIABLE
from gpt2forge.store.store import Pushed, Store
from gpt2forge.units import count, format_size


@click.command("push")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@store_option
@remote_option
@json_option
def push_command(selectors: tuple[str, ...], store: Path, remotes: tuple[str, ...], as_json: bool) -> None:
    """Write the steps of built recipes to the remote levels that lack them."""
    loaded = load_recipes(selectors)
    with RunView() as view:
        opened = open_remotes(store, remotes, view.warn)
        if not opened.can_push:
            fix = "`gpt2forge key new FILE` makes a key"
            raise UserError(f"`{VARIABLE}`: is not set, so nothing can be signed; {fix}")
        pushed = push_recipes(loaded, opened, view.show)
    if as_json:
        console.write_json([describe_pushed(each) for each in pushed])
    for each in () if as_json else pushed:
        console.write(f"{each.level}  {count(each.steps, 'step')}, {format_size(each.size)}\n")
    if not pushed and not as_json:
        console.inform("every remote has every step already")
    failed = [each.level for each in pushed if each.failed]
    if failed:
        raise UserError(f"{quote(failed)}: steps are missing there (see above); fix this and push again")


def describe_pushed(pushed: Pushed) -> dict[str, Any]:
    return {"remote": pushed.level, "steps": pushed.steps, "bytes": pushed.size, "failed": pushed.failed}


@click.command("pull")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@store_option
@remote_option
@json_option
def pull_command(selectors: tuple[str, ...], store: Path, remotes: tuple[str, ...], as_json: bool) -> None:
    """Bring what a build of recipes needs from the remote levels, and run nothing."""
    loaded = load_recipes(selectors)
    with RunView() as view:
        opened = open_remotes(store, remotes, view.warn)
        found = list(pull_recipes(loaded, opened, view.show))
    rows: list[dict[str, Any]] = [
        {"recipe": name, "stage": step.stage.name, "verdict": step.verdict, "origin": origin}
        for name, step, origin in found
    ]
    if as_json:
        console.write_json(rows)
    else:
        console.write(console.align([tabulate(row) for row in rows]))


def tabulate(row: dict[str, Any]) -> Sequence[str]:
    return row["verdict"], row["recipe"], row["stage"], row["origin"]


def open_remotes(store: Path, remotes: Sequence[str], warn: Callable[[str], None]) -> Store:
    """Open a store with its remote levels. Raises UserError if it has none."""
    opened = open_store(store, remotes=remotes, warn=warn)
    if not opened.has_remote:
        raise UserError("there is no remote; name one with `--remote`, or in `store.remote` of gpt2forge.yaml")
    return opened
