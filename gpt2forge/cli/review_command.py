"""`gpt2forge review`: writes the comment for a pull request that changes recipes."""

from pathlib import Path

import click

from gpt2forge.builder.review import review_recipes
from gpt2forge.cli import console
from gpt2forge.cli.review_comment import format_comment


@click.command("review")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@click.option(
    "--before",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("before"),
    help="The folder with the reports of the results before the change.",
)
def review(selectors: tuple[str, ...], before: Path) -> None:
    """Write a comment for a pull request: each result beside the one before. Builds nothing."""
    console.write(format_comment(review_recipes(selectors, before)))
