"""Finds the checkpoint in a folder and the files of it that a conversion reads.

It looks at file names and reads small index files only. `plan` calls it, so it imports nothing heavy.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.format import DEFAULT, Checkpoint, Format, Wanted
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.locate import list_below, list_names, locate
from gpt2forge.checkpoint.recognize import (
    TRAINERS,
    refuse_archive,
    refuse_known,
    refuse_listed,
    refuse_others,
    refuse_pointers,
)
from gpt2forge.errors import UserError


class NoCheckpoint(UserError):
    """Nothing that a format reads is at a path."""


def find_checkpoint(path: Path, formats: Sequence[Format] = FORMATS, wanted: Wanted = DEFAULT) -> Checkpoint:
    """Find the checkpoint at a path, in any of the formats. See `locate` for the paths that lead to a checkpoint.

    Raises UserError if there is none, if there are several, or if a file of it is missing.
    """
    if path.is_file():
        refuse_archive(path)
    if wanted.file is None and not path.is_dir():
        wanted = replace(wanted, file=path.name)
    place = locate(path, lambda names: any(each.is_in(names) for each in formats))
    folder = place.folder
    names = list_names(folder)
    found = [each for each in formats if each.is_in(names)]
    if not found:
        refuse_known(folder, names)
        for below in list_below(folder):
            refuse_listed(below, list_names(below), TRAINERS)
        suggest_above(folder, formats)
        expected = "; ".join(each.expected_files for each in formats)
        raise NoCheckpoint(f"no checkpoint at `{path}`: put one of these there: {expected}")
    if len(found) > 1:
        titles = ", ".join(each.title for each in found)
        raise UserError(f"{folder}: holds checkpoints of {len(found)} formats ({titles}); keep one in a folder")
    checkpoint = find_files(found[0], folder, names, wanted)
    if path.is_file() and {path.name, path.with_suffix(".index").name}.isdisjoint(checkpoint.files):
        raise UserError(f"{path}: is not read; the checkpoint beside it is in `{'`, `'.join(checkpoint.weights)}`")
    return replace(checkpoint, notes=(*place.notes, *checkpoint.notes), through=place.through)


def suggest_above(folder: Path, formats: Sequence[Format]) -> None:
    """Raise UserError that names the folder above if that holds a checkpoint."""
    above = folder.absolute().parent
    if folder.is_dir() and any(each.is_in(list_names(above)) for each in formats):
        shown = Path(os.path.relpath(above)) if not folder.is_absolute() else above
        raise UserError(f"no checkpoint at `{folder}`, but the folder above holds one: name `{shown}`")


def find_files(kind: Format, folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the files of a checkpoint. Raises UserError if one is missing, or if they are known to be something else."""
    try:
        checkpoint = kind.find(folder, names, wanted)
    except UserError:
        refuse_known(folder, names)  # it may name a better reason
        raise
    refuse_pointers(folder, checkpoint.files)
    refuse_others(folder, names)
    return checkpoint
