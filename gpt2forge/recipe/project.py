"""The project of a recipe: the folder at which the paths in the recipe start.

1. The nearest folder above the recipe that holds `gpt2forge.yaml`.
2. Without one, the folder that holds the `recipes/` that the recipe is in.
3. Without both, the working directory.

The folders above a recipe are those of its path as it is written. If it is a link and these hold no project, the
folders above the real file are tried. The working directory stays relative, so that messages are as short as paths are
typed.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpt2forge.recipe.lookup import RECIPES

SETTINGS = "gpt2forge.yaml"


def find_project(recipe: Path) -> Path:
    """Return the project of a recipe's file: an absolute path, or `.` for the working directory."""
    for path in (clean_path(recipe), Path(os.path.realpath(recipe))):
        project = find_settings(path) or find_recipes(path)
        if project is not None:
            return Path() if is_here(project) else project
    return Path()


def clean_path(path: Path) -> Path:
    """Return the absolute path without `..`; only what stands before a `..` is followed through links."""
    parts = path.absolute().parts
    ends = [number for number, part in enumerate(parts) if part == ".."]
    if not ends:
        return path.absolute()
    return Path(os.path.realpath(Path(*parts[: ends[-1] + 1])), *parts[ends[-1] + 1 :])


def find_settings(path: Path) -> Path | None:
    return next((folder for folder in path.parents if has_settings(folder)), None)


def has_settings(folder: Path) -> bool:
    """Return whether a folder holds settings; not if it cannot be looked into."""
    with suppress(OSError):
        return (folder / SETTINGS).is_file()
    return False


def find_recipes(path: Path) -> Path | None:
    return next((folder.parent for folder in path.parents if folder.name == RECIPES.name), None)


def is_here(folder: Path) -> bool:
    """Return whether a folder is the working directory, by whatever name."""
    return folder.samefile(Path())


def list_candidates(recipe: Path) -> Iterator[Path]:
    """Yield the paths of all settings that decide the project of a recipe by being there or not."""
    for path in dict.fromkeys((clean_path(recipe), Path(os.path.realpath(recipe)))):
        for folder in path.parents:
            yield folder / SETTINGS
            if has_settings(folder):
                break
