"""Finds the checkpoint in a folder and the files of it that a conversion reads.

It looks at file names and reads small index files only. `plan` calls it, so it imports nothing heavy.
"""

from collections.abc import Sequence
from pathlib import Path

from gpt2forge.checkpoint.format import Checkpoint, Format
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.errors import UserError


def find_checkpoint(folder: Path, formats: Sequence[Format] = FORMATS) -> Checkpoint:
    """Find the checkpoint in a folder, in any of the formats.

    Raises UserError if there is none, if there are several, or if a file of it is missing.
    """
    names = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()
    found = [each for each in formats if each.is_in(names)]
    if not found:
        expected = "; ".join(each.expected_files for each in formats)
        raise UserError(f"no checkpoint at `{folder}`: put one of these there: {expected}")
    if len(found) > 1:
        titles = ", ".join(each.title for each in found)
        raise UserError(f"{folder}: holds checkpoints of {len(found)} formats ({titles}); keep one in a folder")
    return found[0].find(folder, names)
