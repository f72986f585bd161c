"""The job that a recipe asks for."""

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from gpt2forge.errors import Fault, RecipeError, UserError
from gpt2forge.model.checkpoint import find_checkpoint
from gpt2forge.plan.assume import check_assumed
from gpt2forge.plan.job import Job, Source
from gpt2forge.recipe import MEASURING, STAGES, LoadedRecipe, quote
from gpt2forge.stage import Stage
from gpt2forge.stages.reference import read_text


def make_job(loaded: LoadedRecipe, skip: Sequence[str] = (), assumed: Sequence[str] = ()) -> Job:
    """The stages whose section the recipe has, without those in `skip`.

    Raises RecipeError, with the recipe's place that names it, when a file is not there; UserError when a stage cannot
    be skipped, or needs a tool that is not installed.
    """
    recipe = loaded.recipe
    sections = {stage.section: getattr(recipe, stage.section) for stage in STAGES if stage.section}
    asked = [stage for stage in STAGES if stage.section is None or sections[stage.section] is not None]
    kept = leave_out(asked, skip)
    check_tools(kept)
    check_assumed(kept, assumed)
    sources = {"checkpoint": find_source(loaded)}
    if recipe.verify and any("text" in stage.reads for stage in kept):
        sources["text"] = find_text(loaded, recipe.verify.text)
    skipped = tuple(stage for stage in asked if stage not in kept)
    return Job(recipe.name, tuple(kept), sections, recipe.target, sources, skipped, tuple(assumed))


def leave_out(stages: Sequence[Stage], skip: Sequence[str]) -> list[Stage]:
    """The stages without those that are named, and without those that only they would read."""
    for name in skip:
        if name not in MEASURING:
            raise UserError(f"`--skip {name}`: only {quote(MEASURING)} can be left out")
    kept: list[Stage] = []
    for stage in reversed(stages):
        readers = [later for later in stages if stage.writes in later.reads]
        is_wanted = not readers or any(reader in kept for reader in readers)
        if not stage.optional or (stage.name not in skip and is_wanted):
            kept.insert(0, stage)
    left_out = {stage.writes for stage in stages} - {stage.writes for stage in kept}
    for stage in kept:
        for kind in left_out & set(stage.reads):
            raise UserError(f"`--skip {kind}`: `{stage.name}` needs it; skip `{stage.name}`, and both are left out")
    return kept


def check_tools(stages: Iterable[Stage]) -> None:
    for stage in stages:
        try:
            stage.tool_versions()
        except PackageNotFoundError as error:
            raise UserError(
                f"`{stage.name}` needs {error.name}: `pip install torch transformers`, or leave it out with "
                "`--skip verify,benchmark`"
            ) from error


def find_source(loaded: LoadedRecipe) -> Source:
    folder = Path(loaded.recipe.source.checkpoint)
    try:
        find_checkpoint(folder)
    except UserError as error:
        raise RecipeError([Fault(loaded.place("source", "checkpoint"), str(error))]) from error
    return Source(folder, list_files)


def find_text(loaded: LoadedRecipe, text: str) -> Source:
    path = Path(text)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        fault = f"`verify.text: {text}`: {what}; name a file, by its path from the working directory"
        raise RecipeError([Fault(loaded.place("verify", "text"), fault)])
    try:
        read_text(path)
    except UserError as error:
        raise RecipeError([Fault(loaded.place("verify", "text"), str(error))]) from error
    return Source(path)


def list_files(folder: Path) -> tuple[str, ...]:
    """The files of a checkpoint that convert reads."""
    return find_checkpoint(folder).files
