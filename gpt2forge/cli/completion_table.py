"""The table that completion reads, made from the commands: `gpt2forge/completion/commands.json`."""

import json
from pathlib import Path
from typing import Any

import click

from gpt2forge.stages.all_stages import MEASURING, STAGES

PATH = Path(__file__).parents[1] / "completion/commands.json"
KINDS = {
    **{"RECIPE": "recipe", "OTHER": "recipe", "STAGE": "stage", "STAGES": "measuring", "SHELL": "shell"},
    **{"DIR": "folder", "FOLDER": "folder", "CHECKPOINT": "file", "OUTPUT": "file"},
}
"""The kind of a value by what the usage calls it; every other value is free text."""

RESULTS = ("generate", "copy", "clean")
"""The commands whose RECIPE may also be a result that no recipe has the name of."""

TEXT = "text"


def make_table(program: click.Group) -> dict[str, Any]:
    """Return the table of a program's commands."""
    return {
        "program": describe_command(program, click.Context(program, info_name="gpt2forge")),
        "stage": [stage.name for stage in STAGES],
        "measuring": list(MEASURING),
        "shell": ["bash", "fish", "zsh"],
    }


def describe_command(command: click.Command, context: click.Context) -> dict[str, Any]:
    """Return the options of a command by name, and its commands or the kinds of its arguments."""
    options = {name: find_kind(each, context) for each in command.params for name in each.opts if is_option(each)}
    described: dict[str, Any] = {"options": {**options, "--help": None}}
    if isinstance(command, click.Group):
        below = {name: click.Context(each, info_name=name, parent=context) for name, each in command.commands.items()}
        return {**described, "commands": {name: describe_command(each.command, each) for name, each in below.items()}}
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    kinds = [find_kind(each, context) for each in arguments]
    return {**described, "arguments": kinds, "repeats": any(each.nargs == -1 for each in arguments)}


def is_option(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)


def find_kind(parameter: click.Parameter, context: click.Context) -> str | None:
    """Return the kind of a parameter's value; None for a flag, which has none."""
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count or parameter.is_eager):
        return None
    kind = KINDS.get(parameter.make_metavar(context).split()[0].strip("[]."), TEXT)
    return "result" if kind == "recipe" and context.info_name in RESULTS else kind


def write_table(program: click.Group) -> None:
    """Write the table beside the code that reads it."""
    PATH.write_text(json.dumps(make_table(program), indent=1) + "\n", encoding="utf-8")
