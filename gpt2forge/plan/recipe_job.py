"""The job that a recipe asks for."""

from pathlib import Path

from gpt2forge.errors import Fault, RecipeError, UserError
from gpt2forge.model.checkpoint import find_checkpoint
from gpt2forge.plan.job import Job, Source
from gpt2forge.recipe import STAGES, LoadedRecipe


def make_job(loaded: LoadedRecipe) -> Job:
    """Raises RecipeError, with the recipe's place that names it, when the checkpoint is not there."""
    recipe = loaded.recipe
    folder = Path(recipe.source.checkpoint)
    try:
        find_checkpoint(folder)
    except UserError as error:
        raise RecipeError([Fault(loaded.document.nearest(("source", "checkpoint")).place, str(error))]) from error
    sections = {stage.section: getattr(recipe, stage.section) for stage in STAGES if stage.section}
    return Job(recipe.name, STAGES, sections, recipe.target, {"checkpoint": Source(folder, list_files)})


def list_files(folder: Path) -> tuple[str, ...]:
    """The files of a checkpoint that convert reads."""
    return find_checkpoint(folder).files
