"""The marker of a store, its file `gpt2forge-store`. Nothing is removed in a folder without it.

A store of an earlier version, or one restored from a CI cache, has no marker. It is recognised by a record or a
manifest that is whole, and gets its marker at the next build.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_start, read_whole
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.manifest import parse_manifest
from gpt2forge.store.records import read_record
from gpt2forge.store.stat_cache import DIGEST

FILE = "gpt2forge-store"
VERSION = 1
HEAD = re.compile(r"gpt2forge store (\d{1,9})\n")
TEXT = f"gpt2forge store {VERSION}\ngpt2forge removes files in this folder; keep nothing else here.\n"
MOST = 64  # bytes to read of a marker


def mark_store(root: Path) -> None:
    """Write the marker unless it is there. Raises UserError if a newer gpt2forge wrote it.

    A store that cannot be written stays without.
    """
    if read_version(root) is None:
        with suppress(OSError):
            replace_text(root / FILE, TEXT)


def check_store(root: Path) -> None:
    """Raise UserError unless the folder is a store of this version or an earlier one."""
    if read_version(root) is None and not is_earlier_store(root):
        is_other = root.is_dir() and any(root.iterdir())
        what = "is not a store of gpt2forge" if is_other else "there is no store"
        raise UserError(f"{root}: {what}; name one with `--store`")


def read_version(root: Path) -> int | None:
    """Return the version in the marker; None without a marker. Raises UserError for a newer version than this one."""
    path = root / FILE
    if not path.is_file():
        return None
    head = HEAD.match(read_start(path, MOST).decode(errors="replace"))
    version = int(head[1]) if head else None
    if version is not None and version > VERSION:
        raise UserError(f"{root}: is a store of a newer gpt2forge; use that version, or another store with `--store`")
    return version


def is_earlier_store(root: Path) -> bool:
    """Return whether a folder without a marker has a record or a manifest as only gpt2forge writes them."""
    return any(is_manifest(path) for path in list_json(root, "artifacts")) or any(
        read_record(path) for path in list_json(root, "records/*")
    )


def list_json(root: Path, folders: str) -> Iterator[Path]:
    """Yield the files whose names are a digest and `.json`."""
    return (path for path in root.glob(f"{folders}/*.json") if DIGEST.fullmatch(path.stem) and path.is_file())


def is_manifest(path: Path) -> bool:
    """Return whether a file is the manifest of the artifact that its name says."""
    try:
        return parse_manifest(json.loads(read_whole(path))).digest == path.stem
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
