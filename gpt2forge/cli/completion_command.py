"""`gpt2forge completion`: prints what a shell needs to complete commands, recipes, variants and stages."""

from pathlib import Path

import click

from gpt2forge import completion as package
from gpt2forge.cli import console

SCRIPTS = Path(package.__file__).parent / "scripts"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion of a SHELL: bash, zsh or fish. Its first line says where to put it."""
    console.write((SCRIPTS / shell).read_text(encoding="utf-8"))
