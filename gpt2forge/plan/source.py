"""A source of a job: files that no step made, their digest, and the digests of the single files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.digest import digest_bytes
from gpt2forge.regular_file import read_start
from gpt2forge.stages.stage import Advance
from gpt2forge.store.manifest import Manifest, make_manifest
from gpt2forge.store.stat_cache import StatCache, StatEntry, read_stat


@dataclass(frozen=True)
class Source:
    """Files that no step made: one file, or the files of a folder that `find` names.

    `most` is how many bytes at the start of a single file are read; None if all are. `through` are the folders whose
    names were read to find that folder, and `notes` say how it was found.
    """

    path: Path
    find: Callable[[Path], tuple[str, ...]] | None = None
    through: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    most: int | None = None

    @property
    def files(self) -> list[Path]:
        return [self.path] if self.find is None else [self.path / name for name in self.find(self.path)]

    @property
    def size(self) -> int:
        """The size of what is read, in bytes."""
        whole = sum(file.stat().st_size for file in self.files)
        return whole if self.most is None else min(whole, self.most)

    def read_stats(self) -> dict[Path, StatEntry]:
        """Return the stat of each file, which any write changes, even one of the same bytes."""
        return {file: read_stat(file) for file in self.files}

    def digest(self, stat_cache: StatCache, advance: Advance) -> str:
        """Return the digest of the present content. `advance` is called with the bytes that must be read for it."""
        if self.find is None:
            return self.digest_single(stat_cache)
        files = self.find(self.path)
        total, done = self.size, 0

        def count_read(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total, "B")

        manifest = make_manifest(self.path, list(files), lambda path: stat_cache.digest(path, count_read))
        remember_files(stat_cache, manifest)
        return manifest.digest

    def digest_single(self, stat_cache: StatCache) -> str:
        """Return the digest of the part of a single file that is read."""
        if self.most is None or self.path.stat().st_size <= self.most:
            return stat_cache.digest(self.path)
        return digest_bytes(read_start(self.path, self.most))


def remember_files(stat_cache: StatCache, manifest: Manifest) -> None:
    """Remember the digest of each file, so that a later reason can name the file that changed."""
    name = name_files(manifest.digest)
    if stat_cache.recall(name) is None:
        stat_cache.remember(name, json.dumps({path: file.digest for path, file in manifest.files.items()}))


def recall_files(stat_cache: StatCache, digest: str) -> dict[str, str]:
    """Return the digests of the files of a source by name; empty if they are not known."""
    try:
        found = json.loads(stat_cache.recall(name_files(digest)) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def name_files(digest: str) -> str:
    return digest_bytes(b"files " + digest.encode())
