"""Where the result of a recipe is."""

import re
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.store import Store

BUILD = Path("build")


def check_whole(output: Path, reference: str) -> None:
    """Raises UserError when a published directory no longer holds what was built."""
    artifact = output.resolve()
    store = Store(artifact.parent.parent, is_read_only=True)
    is_ours = store.artifacts.folder(artifact.name) == artifact and artifact.with_suffix(".json").is_file()
    if is_ours and not store.artifacts.is_whole(artifact.name):
        raise UserError(f"{output}: its files were changed or lost; build `{reference}` again to fix them")


def find_output(reference: str) -> Path:
    """The published directory of a recipe: named as for `build`, by the recipe's path, or by the directory itself.

    A word without `/` is a recipe's name first, and a directory only where nothing was built under that name.
    """
    path = Path(reference)
    is_recipe = re.search(r"\.ya?ml(@[^/]*)?$", reference) is not None
    published = BUILD / (re.sub(r"\.ya?ml(?=@|$)", "", path.name) if is_recipe else path.name)
    is_place = "/" in reference and not is_recipe
    for output in (path,) if is_place else (published, path):
        if (output / "model.onnx").is_file():
            check_whole(output, reference)
            return output
        if output.is_symlink() and output.parent == BUILD:
            raise UserError(f"{output}: what it leads to is gone; run `gpt2forge build {output.name}`")
    if is_place or (path.exists() and not is_recipe):
        what = "has no `model.onnx`" if path.is_dir() else "is a file" if path.exists() else "there is no such folder"
        raise UserError(f"{path}: {what}; name a recipe, or a directory that was built or copied")
    return find_meant(reference)


def find_meant(reference: str) -> Path:
    """The published directory of the one recipe that a reference means."""
    from gpt2forge.recipe.lookup import find_one  # only here: it imports what a deployed model has no use for

    output = BUILD / find_one(reference).name
    if not (output / "model.onnx").is_file():
        raise UserError(f"`{reference}` is not built; run `gpt2forge build {reference}`")
    check_whole(output, output.name)
    return output
