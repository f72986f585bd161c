"""Finds the published directory of a recipe."""

import re
from pathlib import Path

from gpt2forge.errors import UserError

BUILD = Path("build")


def find_output(selector: str) -> Path:
    """Find a published directory by a selector, by the recipe's path, or by the path of the directory.

    A word without `/` names a recipe; it names a directory only if nothing was built under that name.
    """
    path = Path(selector)
    is_recipe = re.search(r"\.ya?ml(@[^/]*)?$", selector) is not None
    published = BUILD / (re.sub(r"\.ya?ml(?=@|$)", "", path.name) if is_recipe else path.name)
    is_place = "/" in selector and not is_recipe
    for output in (path,) if is_place else (published, path):
        if (output / "model.onnx").is_file():
            return output
        if output.is_symlink() and output.parent == BUILD:
            raise UserError(f"{output}: the directory that it links to is gone; run `gpt2forge build {output.name}`")
    if is_place or (path.exists() and not is_recipe):
        what = "has no `model.onnx`" if path.is_dir() else "is a file" if path.exists() else "there is no such folder"
        raise UserError(f"{path}: {what}; name a recipe, or a directory that was built or copied")
    return find_selected(selector)


def find_selected(selector: str) -> Path:
    """Find the published directory of the one recipe that a selector means."""
    from gpt2forge.recipe.lookup import find_one  # only here: a deployed model does not need its imports

    output = BUILD / find_one(selector).name
    if not (output / "model.onnx").is_file():
        raise UserError(f"`{selector}` is not built; run `gpt2forge build {selector}`")
    return output
