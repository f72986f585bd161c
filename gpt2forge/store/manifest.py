"""The manifest of an artifact, {relative path: sha256, size}, which names the files of its folder."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_value

PARTS_NOT_PLAIN = {"", ".", ".."}  # of a path: it is absolute, leads elsewhere, or can be written in another way


@dataclass(frozen=True)
class File:
    """The content of one file; `size` in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The files of an artifact, by relative path with `/`."""

    files: Mapping[str, File]

    @property
    def digest(self) -> str:
        """Return the digest of the whole content: artifacts with equal digests are equal."""
        return digest_value(self.to_json())

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())

    def fits(self, folder: Path, names: list[str]) -> bool:
        """Return whether these files of a folder are its files by name and size, which no file is read for."""
        found = {name: os.stat(f"{folder}{os.sep}{name}").st_size for name in names}  # noqa: PTH116
        return found == {name: file.size for name, file in self.files.items()}

    def to_json(self) -> dict[str, dict[str, Any]]:
        return {path: {"sha256": file.digest, "size": file.size} for path, file in sorted(self.files.items())}


def make_manifest(folder: Path, names: list[str], digest: Callable[[Path], str]) -> Manifest:
    """Describe these files of a folder; `digest` returns a file's sha256."""
    return Manifest({name: File(digest(folder / name), (folder / name).stat().st_size) for name in sorted(names)})


def list_files(folder: Path) -> list[str]:
    """List the relative paths of all files below a folder. Raises ValueError if one is not an ordinary file."""
    return sorted(find_files(str(folder), ""))


def find_files(folder: str, prefix: str) -> Iterator[str]:
    """Yield the files below a folder, each with a prefix; none if the folder is gone or cannot be read.

    A plan looks at thousands of files, so none is asked for its stat here.
    """
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from find_files(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
        else:
            raise ValueError(f"{entry.path}: an artifact holds ordinary files only")


def parse_manifest(value: Any) -> Manifest:
    """Check a manifest that was read from disk. Raises ValueError unless every path stays inside its folder."""
    if not isinstance(value, dict):
        raise ValueError("a manifest is an object")
    files = {}
    for name, entry in value.items():
        if not PARTS_NOT_PLAIN.isdisjoint(name.split("/")) or "\\" in name or "\0" in name:
            raise ValueError(f"the path {name!r} is not a plain relative path")
        digest, size = entry["sha256"], entry["size"]
        if not (isinstance(digest, str) and len(digest) == 64 and isinstance(size, int) and size >= 0):
            raise ValueError(f"the entry of {name!r} is not a digest and a size")
        files[name] = File(digest, size)
    return Manifest(files)
