"""The job that a recipe asks for."""

from pathlib import Path

from gpt2forge.model.checkpoint import find_checkpoint
from gpt2forge.plan.job import Job, Source
from gpt2forge.recipe import STAGES, Recipe


def make_job(recipe: Recipe) -> Job:
    """Raises UserError when the checkpoint is not there."""
    folder = Path(recipe.source.checkpoint)
    find_checkpoint(folder)  # fail before anything runs
    sections = {stage.section: getattr(recipe, stage.section) for stage in STAGES if stage.section}
    return Job(recipe.name, STAGES, sections, recipe.target, {"checkpoint": Source(folder, list_files)})


def list_files(folder: Path) -> tuple[str, ...]:
    """The files of a checkpoint that convert reads."""
    return find_checkpoint(folder).files
