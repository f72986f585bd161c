"""Finds the folder of a checkpoint from the path that a user gives: a folder, a file in it, or a folder above it.

1. A folder that holds a checkpoint is taken as it is.
2. A path of a file stands for its folder; the file must be one of the checkpoint's. So does the prefix of a
   TensorFlow save, the path of its files without their endings.
3. Otherwise the folders below, down to DEPTH, are searched. The only one with a checkpoint is taken. Of the folders
   `checkpoint-N` that a Trainer writes, the newest is taken; of a repository in a hub's cache, the snapshot that
   `refs/main` names. The cache itself, with one repository or several, is searched too.
4. Every choice is noted, so that the user sees what is built.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.huggingface.chat_templates import list_template_names
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_start

DEPTH = 2
LONGEST_REVISION = 100  # bytes
MOST_FOLDERS = 1000  # to search; a checkpoint's folder has a handful
SAVED = re.compile(r"checkpoint-(\d{1,18})", re.ASCII)
REVISION = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)

REPOSITORIES = "models--*"  # the folders of a hub's cache, a repository each

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
    if path.is_file() or is_prefix(path):
        return Location(path.parent)
    if not path.is_dir() or holds_checkpoint(list_names(path)):
        return Location(path)
    searched = list_starts(path)
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
    more = ", ..." if len(found) > 5 else ""
    raise UserError(f"{path}: holds {len(found)} checkpoints, in {shown}{more}; name the folder of one of them")


def is_prefix(path: Path) -> bool:
    """Return whether a path is the prefix of a TensorFlow save."""
    return not path.exists() and path.name != "" and path.with_name(f"{path.name}.index").is_file()


def list_starts(path: Path) -> list[Path]:
    """List the folders from which the search goes down: the path, or the snapshots of a hub's cache."""
    places = (path, path / "hub") if (path / "hub").is_dir() else (path,)
    repositories = sorted(each for place in places for each in place.glob(REPOSITORIES) if each.is_dir())
    found = [snapshot for each in (path, *repositories[:MOST_FOLDERS]) for snapshot in find_snapshots(each)]
    return found or [path]


def find_snapshots(path: Path) -> list[Path]:
    """Return the snapshot of a repository in a hub's cache that `refs/main` names, or else all of them."""
    snapshots = path / "snapshots"
    if not snapshots.is_dir():
        return []
    main = path / "refs" / "main"
    if main.is_file():
        revision = read_start(main, LONGEST_REVISION).decode("ascii", "replace").strip()
        if REVISION.fullmatch(revision) and (snapshots / revision).is_dir():
            return [snapshots / revision]
    return sorted(each for each in snapshots.iterdir() if each.is_dir())[:MOST_FOLDERS]


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
