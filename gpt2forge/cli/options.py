"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

STORE = Path("cache")


def split_names(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    """Return the names of a repeatable option whose texts hold several each, as in `verify,benchmark`."""
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


store_option = click.option(
    "--store",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=STORE,
    help="The folder that keeps the artifacts.",
)

remote_option = click.option(
    "--remote",
    "remotes",
    metavar="ADDRESS",
    multiple=True,
    help="A remote level behind the store; `none` for none. Default: `store.remote` of the settings.",
)

skip_option = click.option(
    "--skip",
    metavar="STAGES",
    multiple=True,
    callback=split_names,
    help="Skip these measuring steps, as in `--skip verify,benchmark`. Their limits are not checked.",
)

assume_option = click.option(
    "--assume-equivalent",
    "assumed",
    metavar="TOOL",
    multiple=True,
    help="Keep what another version of TOOL made, as in `--assume-equivalent onnx`.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Write data to stdout as JSON.")

threads_option = click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    help="Compute with N threads; 0: those of the variable GPT2FORGE_THREADS, or one for each core.",
)

set_option = click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change a value of the recipe, as in `--set quantization.granularity=32`; `--set ~KEY` deletes it.",
)

name_option = click.option(
    "--name",
    metavar="NAME",
    help="Publish the changed recipe under this name. No other recipe or variant may have it.",
)


def recipe_options(command: Command) -> Command:
    """Add the options of a command that reads a recipe."""
    return set_option(name_option(command))
