"""Finds out whether a recipe was ever built."""

from dataclasses import replace

from gpt2forge.builder.outputs import BUILD
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import LoadedRecipe


def mark_new(job: Job, loaded: LoadedRecipe) -> Job:
    """Return the job of a recipe, marked as new if neither it nor the recipe that `--set` changes was ever built.

    Where nothing was published, as in a fresh checkout with a restored store, nobody can tell, and no recipe is new.
    """
    names = (job.name, loaded.own_name)
    is_known = not BUILD.is_dir() or any(
        (BUILD / f"{name}.json").exists() or (BUILD / name).is_symlink() for name in names
    )
    return replace(job, is_new=not is_known)
