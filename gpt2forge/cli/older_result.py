"""The warning of commands that read a published result while the last build of its recipe failed."""

from pathlib import Path

import click

from gpt2forge.builder.report import find_later_failure
from gpt2forge.builder.verdict import shorten_error
from gpt2forge.cli import console

force_option = click.option(
    "--force", is_flag=True, help="Do not warn if the last build failed and an earlier one's result is used."
)


def warn_of_older(output: Path, force: bool) -> None:
    """Warn that a result is an earlier build's, unless forced."""
    error = None if force else find_later_failure(output)
    if error is not None:
        why = f"the last build failed: {shorten_error(error)}"
        console.warn(f"{output}: is an earlier build's result, because {why}; `--force` uses it without this warning")
