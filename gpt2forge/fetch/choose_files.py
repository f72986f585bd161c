"""Chooses the files of a remote folder that a conversion reads."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gpt2forge.checkpoint.detect import find_files
from gpt2forge.checkpoint.format import Checkpoint, Format, Wanted
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.huggingface.huggingface_format import HUGGINGFACE
from gpt2forge.checkpoint.recognize import refuse_known
from gpt2forge.errors import UserError

MOST_INDEXES = 10  # small files to fetch before the choice is made; a checkpoint has two or three at most


def choose_files(
    folder: Path, names: set[str], *, wanted: Wanted, address: str, fetch: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the names of the files that a conversion reads.

    The formats decide as for a folder on the disk. If one must read a small file to decide, such as config.json or an
    index of shards, `fetch` brings that file to `folder`. Raises UserError if the files are no checkpoint that can be
    built.
    """
    for _ in range(MOST_INDEXES):
        try:
            return find_remote(folder, names, wanted).files
        except UserError as error:
            raise UserError(str(error).replace(str(folder), address)) from error
        except FileNotFoundError as error:
            name = Path(str(error.filename)).name
            if name not in names:
                raise
            fetch(name)
    raise UserError(f"{address}: has too many indexes; download it, and name the folder")


def find_remote(folder: Path, names: set[str], wanted: Wanted) -> Checkpoint:
    """Find the checkpoint among these names. Raises UserError if there is none, FileNotFoundError for a small file."""
    found = [each for each in FORMATS if each.is_in(names)]
    if not found:
        refuse_known(folder, names)
    return find_files(choose_format(found, folder), folder, names, wanted)


def choose_format(found: Sequence[Format], folder: Path) -> Format:
    """Return the only format, or else that of the Hub. Raises UserError if there is no format to take."""
    if not found:
        expected = "; ".join(each.expected_files for each in FORMATS)
        raise UserError(f"{folder}: holds no checkpoint at its root, which would be one of these: {expected}")
    if len(found) > 1 and HUGGINGFACE not in found:
        titles = ", ".join(each.title for each in found)
        raise UserError(f"{folder}: holds checkpoints of {len(found)} formats ({titles}); download one of them")
    return found[0] if len(found) == 1 else HUGGINGFACE
