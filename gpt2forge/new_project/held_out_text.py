"""Finds a text to measure a model on beside its checkpoint: one that was kept out of the training, by its name."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.stages.read_texts import read_text

WORDS = ("heldout", "valid", "validation", "val", "test", "eval", "evaluation", "dev")
"""The words in a file's name that say so; the text of the first one is taken."""

TOKENS = 8192  # of the text that `verify` reads by default
FEWEST = 1000  # characters; a shorter text shows nothing
MOST_FILES = 1000  # that are looked at in a folder


def find_held_out(checkpoint: Path) -> Path | None:
    """Return the text that was held out: in the folder of the checkpoint, or else beside the folder."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    found = [path for place in dict.fromkeys((folder, folder.absolute().parent)) for path in list_texts(place)]
    return next((path for path in found if is_long(path)), None)


def list_texts(folder: Path) -> list[Path]:
    """List the texts of a folder whose names say that they were held out, the likeliest first."""
    ranked = [(rank, path) for path in list_files(folder) if (rank := rank_name(path.stem)) is not None]
    return [path for _, path in sorted(ranked)]


def list_files(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        for _, path in zip(range(MOST_FILES), folder.iterdir(), strict=False):
            if path.suffix == ".txt" and path.is_file():
                yield path


def rank_name(stem: str) -> int | None:
    """Return the place in WORDS of a word in a name; None for a name without any."""
    words = re.split(r"[^a-z]+", re.sub(r"held[-_ ]?out", "heldout", stem.lower()))
    return next((rank for rank, word in enumerate(WORDS) if word in words), None)


def is_long(path: Path) -> bool:
    with suppress(UserError):
        return len(read_text(path, TOKENS)) >= FEWEST
    return False


def read_part(path: Path) -> str:
    """Return as much of a text as `verify` reads by default, in whole lines."""
    text = read_text(path, TOKENS)
    return text[: text.rfind("\n") + 1] or text
