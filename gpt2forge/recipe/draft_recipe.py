"""Finds the recipe of the model that guesses tokens for another recipe's."""

from pathlib import Path

from gpt2forge.errors import Fault, RecipeError, UserError
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.recipe.lookup import RECIPES
from gpt2forge.stamp import is_path

KEYS = ("generation", "speculative", "draft")


def load_draft(loaded: LoadedRecipe) -> LoadedRecipe | None:
    """Return the recipe of a recipe's draft, without what its package is not needed for; None if there is no draft.

    It is a name in the project's `recipes/`, or a path from the project on. How it writes text by itself, what it is
    measured on and how fast it is do not matter to a model that only guesses, so these sections are left out.
    Raises RecipeError, with the place in the recipe, if there is no such recipe, and with all faults that it has.
    """
    generation = loaded.recipe.generation
    if generation is None or generation.draft is None:
        return None
    try:
        draft = load_recipe(choose_selector(loaded.project, generation.draft))
    except RecipeError:
        raise
    except UserError as error:
        raise RecipeError([Fault(loaded.place(*KEYS), f"`{'.'.join(KEYS)}: {generation.draft}`: {error}")]) from error
    return draft.leave_out("generation", "verify", "benchmark")


def choose_selector(project: Path, name: str) -> str:
    """Return the selector of a draft that a recipe of this project names."""
    if is_path(name):
        return str(project / name)
    if project == Path():
        return name
    whole = project / RECIPES / f"{name}.yaml"
    stem, _, variant = name.rpartition("@")
    return str(whole) if whole.is_file() or not stem else f"{project / RECIPES / stem}.yaml@{variant}"
