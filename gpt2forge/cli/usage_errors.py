"""Words for a command line that click refuses: what is wrong with it, and what to write instead."""

from collections.abc import Sequence
from pathlib import Path

import click

REWORDED = {
    "is not a valid integer range.": "is not a whole number.",
    "is not a valid integer.": "is not a whole number.",
    "is not a valid float range.": "is not a number.",
    "is not a valid float.": "is not a number.",
    "range x>=": "range from ",
    "<=x<=": " to ",
}
"""Words of click that say less than ours."""


def describe_usage(error: click.ClickException, words: Sequence[str]) -> str:
    """Return the one line for an error of click's about the command line `words`."""
    message = error.format_message()
    for theirs, ours in REWORDED.items():
        message = message.replace(theirs, ours)
    fix = "" if "Did you mean" in message or not isinstance(error, click.UsageError) else find_fix(error, words)
    return f"{message.removesuffix('.')}; {fix}" if fix else message


def find_fix(error: click.UsageError, words: Sequence[str]) -> str:
    """Return what to write instead, or where that is shown; empty if the message says it."""
    if isinstance(error, click.exceptions.NoSuchCommand):
        return suggest_command(words[0])
    if isinstance(error, click.exceptions.NoSuchOption):
        long = next((word for word in words if word.startswith(error.option_name) and word[1:2] != "-"), "")
        if len(long) > len(error.option_name):
            return f"did you mean `-{long}`?"
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter):
        return ""
    path = error.ctx.command_path if error.ctx else " ".join(("gpt2forge", *words[:1]))
    return f"`{path} --help` shows what it takes"


def suggest_command(word: str) -> str:
    """Return the command that a first word may be meant for."""
    if Path("recipes", f"{word}.yaml").is_file():
        return f"did you mean `gpt2forge build {word}`?"
    return "`gpt2forge --help` lists the commands"
