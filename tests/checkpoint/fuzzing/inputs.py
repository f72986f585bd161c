"""Inputs as files in a folder, by the name of their target."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

KEPT, FAILED = "kept", "failed"


def locate(folder: Path, name: str, content: bytes) -> Path:
    """Return the path of an input."""
    return folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.input"


def load(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the contents that a folder has of a target, in the order of their names."""
    for path in sorted(folder.glob(f"{name}-*.input")):
        yield path.read_bytes()


def save(folder: Path, name: str, content: bytes) -> Path:
    """Write an input, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = locate(folder, name, content)
    path.write_bytes(content)
    return path


def note_failure(home: Path, name: str, content: bytes, why: str) -> None:
    """Keep an input that failed, with the reason beside it."""
    save(home / FAILED, name, content).with_suffix(".txt").write_text(why, encoding="utf-8")


def forget_failure(home: Path, name: str, content: bytes) -> None:
    """Remove an input that fails no longer."""
    path = locate(home / FAILED, name, content)
    path.unlink(missing_ok=True)
    path.with_suffix(".txt").unlink(missing_ok=True)
