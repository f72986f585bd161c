"""Outputs in doubt: noted in a store, but not found. Their artifacts are kept until somebody forgets the outputs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gpt2forge.store.roots import Notes, Root, list_roots


@dataclass(frozen=True)
class Doubt:
    """An output that is not found; `root` is None if its note cannot be read, and then it may use any artifact."""

    note: Path
    root: Root | None

    @property
    def name(self) -> str:
        """Return the name to forget it by: the output's path, or the note's if that path is unknown or unprintable."""
        is_shown = self.root is not None and self.root.output.isprintable()
        return self.root.output if self.root is not None and is_shown else str(self.note)

    def matches(self, pattern: str) -> bool:
        """Return whether a pattern, or the absolute or relative path of the output or of its note, names it."""
        wanted = (pattern, os.path.abspath(pattern))  # noqa: PTH100
        return any(name == each or fnmatchcase(name, each) for name in self.list_names() for each in wanted)

    def list_names(self) -> Iterator[str]:
        """Yield the absolute paths of the note and of the output."""
        yield str(self.note.absolute())
        if self.root is not None:
            yield self.root.output

    def to_json(self) -> dict[str, Any]:
        artifacts = sorted(self.root.list_kept()) if self.root else None
        return {"output": self.root.output if self.root else None, "note": str(self.note), "artifacts": artifacts}


def list_doubts(notes: Notes) -> list[Doubt]:
    """List the outputs in doubt. Those that are found, or known to be removed, are not among them."""
    unreadable = [Doubt(path, None) for path, root in notes.items() if root is None]
    return [
        *unreadable,
        *(Doubt(path, root) for path, root in list_roots(notes).items() if not root.is_found),
    ]


def forget(doubts: Sequence[Doubt]) -> None:
    """Remove the notes of outputs, so that what only they used may be evicted."""
    for doubt in doubts:
        doubt.note.unlink(missing_ok=True)
