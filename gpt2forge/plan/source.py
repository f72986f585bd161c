"""A source of a job: files that no step made, their digest, and the digests of the single files."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.digest import digest_bytes
from gpt2forge.errors import UserError
from gpt2forge.stages.stage import Advance
from gpt2forge.store.manifest import File, Manifest
from gpt2forge.store.stat_cache import CHANGED, StatCache, StatEntry, read_stat


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
        """Return the stat of each file, which any write changes, even one of the same bytes.

        Raises UserError if a file is gone.
        """
        with self.refuse_change():
            return {file: read_stat(file) for file in self.files}

    def read(self, stat_cache: StatCache, advance: Advance) -> "Reading":
        """Read the present content. `advance` is called with the bytes that must be read for it.

        Raises UserError if it changes meanwhile.
        """
        with self.refuse_change():
            return self.read_single(stat_cache) if self.find is None else self.read_folder(stat_cache, advance)

    @contextmanager
    def refuse_change(self) -> Iterator[None]:
        """Raise UserError if a file that was there is gone."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(f"{self.path}: {CHANGED}") from error

    def read_single(self, stat_cache: StatCache) -> "Reading":
        """Read the part of a single file that is used."""
        is_whole = self.most is None or self.path.stat().st_size <= self.most
        content = stat_cache.read(self.path) if is_whole else stat_cache.read_start(self.path, self.most or 0)
        return Reading(content.digest, {self.path: content.stat}, self.size)

    def read_folder(self, stat_cache: StatCache, advance: Advance) -> "Reading":
        names, total, done = [str(file.relative_to(self.path)) for file in self.files], self.size, 0

        def count_read(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total, "B")

        contents = {name: stat_cache.read(self.path / name, count_read) for name in names}
        stats = {self.path / name: content.stat for name, content in contents.items()}
        manifest = Manifest({name: File(content.digest, content.stat.size) for name, content in contents.items()})
        remember_files(stat_cache, manifest)
        return Reading(manifest.digest, stats, total)


@dataclass(frozen=True)
class Reading:
    """The digest of a source, the stat of each file while it had the digested bytes, and how many bytes are read."""

    digest: str
    stats: Mapping[Path, StatEntry]
    size: int


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
