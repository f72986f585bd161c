"""Chooses the files of a remote folder that a conversion reads."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gpt2forge.checkpoint.format import Format, Wanted
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.errors import UserError

MOST_INDEXES = 10  # to fetch before the choice is made; a checkpoint has one at most


def choose_files(
    folder: Path, names: set[str], *, wanted: Wanted, address: str, fetch: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the names of the files that a conversion reads.

    The format decides as for a folder on the disk. If it must read a small file to decide, such as an index of shards,
    `fetch` brings that file to `folder`. Raises UserError if the files are no checkpoint that can be built.
    """
    choice = choose_format(names, address)
    for _ in range(MOST_INDEXES):
        try:
            found = choice.find(folder, names, wanted)
        except UserError as error:
            raise UserError(str(error).replace(str(folder), f"`{address}`")) from error
        except FileNotFoundError as error:
            name = Path(str(error.filename)).name
            if name not in names:
                raise
            fetch(name)
        else:
            return found.files
    raise UserError(f"`{address}`: has too many indexes; download it, and name the folder")


def choose_format(names: set[str], address: str, formats: Sequence[Format] = FORMATS) -> Format:
    """Return the format of a folder with these names. Raises UserError unless there is exactly one."""
    found = [each for each in formats if each.is_in(names)]
    if not found:
        expected = "; ".join(each.expected_files for each in formats)
        raise UserError(f"`{address}`: holds no checkpoint at its root, which would be one of these: {expected}")
    if len(found) > 1:
        titles = ", ".join(each.title for each in found)
        raise UserError(
            f"`{address}`: holds checkpoints of {len(found)} formats ({titles}); download one, and name its folder"
        )
    return found[0]
