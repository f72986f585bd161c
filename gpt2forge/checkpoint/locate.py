"""Finds the folder of a checkpoint from the path that a user gives: a folder, a file in it, or a folder above it.

1. A folder that holds a checkpoint is taken as it is.
2. A path of a file stands for its folder; the file must be one of the checkpoint's.
3. Otherwise the folders below, down to DEPTH, are searched. The only one with a checkpoint is taken. Of the folders
   `checkpoint-N` that a Trainer writes, the newest is taken; of a hub cache, the snapshot that `refs/main` names.
4. Every choice is noted, so that the user sees what is built.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.huggingface.chat_templates import list_template_names
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

DEPTH = 2
MOST_FOLDERS = 1000  # to search; a checkpoint's folder has a handful
SAVED = re.compile(r"checkpoint-(\d{1,18})", re.ASCII)
REVISION = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)

HoldsCheckpoint = Callable[[set[str]], bool]
"""Returns whether a folder with files of these names holds a checkpoint."""


@dataclass(frozen=True)
class Location:
    """The folder of a checkpoint. `through` are the folders whose names were read to find it."""

    folder: Path
    notes: tuple[str, ...] = ()
    through: tuple[Path, ...] = ()


def locate(path: Path, holds_checkpoint: HoldsCheckpoint) -> Location:
    """Return the folder of the checkpoint at `path`; the path itself if no rule finds one.

    Raises UserError if several folders below could be meant.
    """
    if path.is_file():
        return Location(path.parent)
    if not path.is_dir() or holds_checkpoint(list_names(path)):
        return Location(path)
    snapshot = find_snapshot(path)
    searched = [path] if snapshot is None else [snapshot]
    found: list[Path] = []
    for depth in range(DEPTH + 1):
        found = [folder for folder in searched if holds_checkpoint(list_names(folder))]
        if found or depth == DEPTH:
            break
        searched = sorted(below for folder in searched for below in folder.iterdir() if below.is_dir())[:MOST_FOLDERS]
    if not found:
        return Location(path)
    folder = choose(path, found)
    shown = quote_untrusted(folder.relative_to(path))
    why = "" if len(found) == 1 else f", the newest of {len(found)}"
    steps = [parent for parent in (folder, *folder.parents) if parent != path and parent.is_relative_to(path)]
    return Location(folder, (f"the checkpoint is read from the folder {shown} in it{why}",), (path, *steps))


def choose(path: Path, found: list[Path]) -> Path:
    """Return the one folder, or the newest that a Trainer saved. Raises UserError if several could be meant."""
    numbers = {folder: SAVED.fullmatch(folder.name) for folder in found}
    if len(found) == 1:
        return found[0]
    if all(numbers.values()) and len({folder.parent for folder in found}) == 1:
        return max(found, key=lambda folder: int(folder.name.removeprefix("checkpoint-")))
    shown = ", ".join(quote_untrusted(folder.relative_to(path)) for folder in found[:5])
    raise UserError(f"{path}: holds {len(found)} checkpoints, in {shown}; name the folder of one of them")


def find_snapshot(path: Path) -> Path | None:
    """Return the snapshot in a folder of the Hugging Face cache that `refs/main` names, or the only one."""
    snapshots = path / "snapshots"
    if not snapshots.is_dir():
        return None
    main = path / "refs" / "main"
    if main.is_file() and main.stat().st_size < 100:
        revision = main.read_bytes().decode("ascii", "replace").strip()
        if REVISION.fullmatch(revision) and (snapshots / revision).is_dir():
            return snapshots / revision
    return snapshots


def list_below(folder: Path) -> Iterator[Path]:
    """Yield the folders below one, down to DEPTH, the nearer ones first."""
    above = [folder]
    for _ in range(DEPTH):
        above = sorted(below for each in above if each.is_dir() for below in each.iterdir() if below.is_dir())
        above = above[:MOST_FOLDERS]
        yield from above


def list_names(folder: Path) -> set[str]:
    """Return the names of the files in a folder, with those of more chat templates; none if there is no such folder."""
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if path.is_file()} | list_template_names(folder)
