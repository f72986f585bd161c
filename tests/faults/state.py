"""The state that a build leaves, read without gpt2forge's own code: published bytes, and files that should not exist."""

import fcntl
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.workshop import Workshop

HASH = "[0-9a-f]{64}"
WANTED = re.compile(
    rf"held|gpt2forge-store|artifacts/{HASH}(\.json|/.+)|records/\w+/({HASH}\.json|index)|locks/{HASH}"
    rf"|stat_cache/../[0-9a-f]{{62}}"
    rf"|logs/\w+-[0-9a-f]{{16}}\.log|roots/{HASH}\.json"
)


@dataclass(frozen=True)
class State:
    """The key and digest of each step that was made, and the digest of each published file."""

    steps: Mapping[str, tuple[str, str]]
    files: Mapping[str, str]


def take_state(shop: Workshop, recipe: str, *words: str) -> State:
    """Build with the real command, which must succeed, and read what it published."""
    return State(list_steps(shop.report(recipe, *words)), read_tree(shop.folder / "build" / recipe))


def list_steps(report: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {step["stage"]: (step["key"], step["digest"]) for step in report["steps"] if step["outcome"] != "skipped"}


def read_tree(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file by its relative path."""
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def list_debris(store: Path) -> list[str]:
    """List files that do not belong in a store, and locks that a process holds."""
    files = [path for path in sorted(store.rglob("*")) if not path.is_dir()]
    folders = [path for name in ("making", "damaged") for path in (store / name).glob("*")]
    names = [str(path.relative_to(store)) for path in (*files, *folders)]
    return [name for name in names if not WANTED.fullmatch(name)] + list(list_held(store))


def list_held(store: Path) -> Iterator[str]:
    for path in (store / "locks").glob("*"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield f"{path.name} is held"
