"""A small valid recipe, and the faults of a changed one."""

from pathlib import Path

import pytest

from gpt2forge.errors import RecipeError
from gpt2forge.recipe.load import load_recipe

BARE = """\
name: mine
source:
  checkpoint: here
target:
  device: cpu
"""
GOOD = f"{BARE}quantization:\n  scheme: int8\n"


def write(text: str) -> None:
    """Write the recipe `mine` in the working directory."""
    Path("recipes/mine.yaml").write_text(text)


def faults(text: str, *changes: str) -> list[str]:
    """Return the faults of the recipe `mine` of this text, one line each."""
    write(text)
    with pytest.raises(RecipeError) as error:
        load_recipe("mine", changes)
    return str(error.value).splitlines()
