"""A view of the sources of a step, so that a stage reads the bytes that its key names, whatever happens to the paths.

1. Each file is opened once. Its identity must be the one that it had when its digest was made.
2. The stage reads from a folder of links to the open files. The folder holds nothing else, so no file that the key does
   not cover decides a result.
3. The identities are compared again after the stage has run, which shows every write in between.
4. Where open files have no names in /proc, or the store has no links, the stage reads the paths themselves. Then what
   leads to each file is compared too, because a swap that is undone changes the times of a link or of a folder.
"""

import os
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK
from typing import Any

from gpt2forge.errors import UserError

DESCRIPTORS = Path("/proc/self/fd")
SPARE = 256  # descriptors beside those of the sources

Identity = list[int]
"""Device, inode, size, mtime_ns and ctime_ns of a file, as the request to the worker lists them."""


@dataclass(frozen=True)
class OpenFile:
    """A file of a source, open for reading. `name` is its path in the source; empty if the source is this file."""

    path: Path
    name: str
    descriptor: int
    identity: Identity

    def is_unchanged(self) -> bool:
        return identify(os.fstat(self.descriptor)) == self.identity


@dataclass(frozen=True)
class SourceView:
    """The open sources of a step, by kind: the paths that the stage reads, and those that users know.

    `ways` identifies what leads to each file that is read by its own path (rule 4).
    """

    files: Mapping[str, tuple[OpenFile, ...]]
    paths: Mapping[str, Path]
    named: Mapping[str, Path]
    ways: Mapping[Path, list[Identity]]

    def check(self) -> None:
        """Raise UserError if a source was changed since its digest was made (rules 3 and 4)."""
        for kind, files in self.files.items():
            if not all(file.is_unchanged() for file in files):
                raise make_error(self.named[kind])
        for kind, files in self.files.items():
            if any(is_led_elsewhere(file, self.ways[file.path]) for file in files if file.path in self.ways):
                raise make_error(self.named[kind])

    def restore_names(self, text: str) -> str:
        """Return a message with the paths that users know."""
        for kind, path in self.paths.items():
            text = text.replace(str(path), str(self.named[kind]))
        return text


def open_sources(inputs: Mapping[str, Mapping[str, Any]], folder: Path) -> SourceView:
    """Open the sources among the inputs of a request, and lay links to their files in `folder`, which is empty.

    A source has `files`, the identities of its files by name. Raises UserError if a file is not the one that the digest
    was made of.
    """
    sources = {kind: source for kind, source in inputs.items() if "files" in source}
    named = {kind: Path(source["path"]) for kind, source in sources.items()}
    allow_descriptors(sum(len(source["files"]) for source in sources.values()))
    files = {kind: open_files(named[kind], source["files"]) for kind, source in sources.items()}
    try:
        return SourceView(
            files, {kind: link_files(files[kind], path, folder / kind) for kind, path in named.items()}, named, {}
        )
    except OSError:
        ways = {file.path: list(identify_way(file.path)) for each in files.values() for file in each}
        return SourceView(files, named, named, ways)


def allow_descriptors(count: int) -> None:
    """Raise the limit of open files, as far as this process may, so that `count` files of sources can be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def open_files(source: Path, identities: Mapping[str, Identity]) -> tuple[OpenFile, ...]:
    """Open each file of a source by rule 1."""
    return tuple(open_file(source, name, identity) for name, identity in identities.items())


def open_file(source: Path, name: str, identity: Identity) -> OpenFile:
    try:
        descriptor = os.open(source / name, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO there must not wait for a writer
    except (FileNotFoundError, NotADirectoryError) as error:
        raise make_error(source) from error
    file = OpenFile(source / name, name, descriptor, identity)
    if not file.is_unchanged():
        raise make_error(source)
    return file


def link_files(files: tuple[OpenFile, ...], source: Path, folder: Path) -> Path:
    """Lay links to open files in a new folder (rule 2) and return the source's path there. Raises OSError by rule 4."""
    folder.mkdir(parents=True)
    for file in files:
        link = folder / (file.name or source.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(DESCRIPTORS / str(file.descriptor))
        if identify(link.stat()) != file.identity:
            raise FileNotFoundError(f"{DESCRIPTORS} does not lead to open files")
    return folder / source.name if any(file.name == "" for file in files) else folder


def identify(found: os.stat_result) -> Identity:
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def identify_way(path: Path) -> Iterator[Identity]:
    """Yield the identities of the links that lead to a file, of every folder on the way, and of the file's own folder.

    The times of the other folders do not count, because unrelated files in them come and go.
    """
    absolute = path.absolute()
    for place in (*reversed(absolute.parents), absolute):
        found = place.lstat()
        yield identify(found) if S_ISLNK(found.st_mode) or place == absolute.parent else identify(found)[:2]
        if S_ISLNK(found.st_mode):
            yield from identify_way(place.parent / place.readlink())


def is_led_elsewhere(file: OpenFile, way: list[Identity]) -> bool:
    """Return whether the path of an open file has led elsewhere since `way` was noted."""
    try:
        return list(identify_way(file.path)) != way or identify(file.path.stat()) != file.identity
    except OSError:
        return True


def make_error(path: Path) -> UserError:
    return UserError(f"{path}: changed while it was being read; build again when nothing writes to it")
