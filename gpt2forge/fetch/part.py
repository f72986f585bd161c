"""The part of a file that has arrived, and the digests by which a whole file is checked."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from gpt2forge.digest import CHUNK, Hasher
from gpt2forge.fetch.remote_file import Count, RemoteFile


class Part:
    """The beginning of a file that has arrived, and the digest of its bytes."""

    def __init__(self, file: RemoteFile, path: Path) -> None:
        self.file, self.path = file, path
        algorithm = start_digest(file)
        if path.is_file():
            update(algorithm, path)
        self.hasher = Hasher(algorithm)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hasher.__exit__(kind, error, trace)

    @property
    def size(self) -> int:
        """The number of bytes that have arrived."""
        return measure(self.path)

    @property
    def is_right(self) -> bool:
        """Return whether the bytes have the listed digest, if one is listed."""
        return self.file.digest is None or self.hasher.hexdigest() == self.file.digest

    def append(self, out: BinaryIO, piece: bytes) -> None:
        """Write bytes to the open part."""
        self.hasher.update(memoryview(piece))
        out.write(piece)

    def restart(self, out: BinaryIO) -> None:
        """Throw away what is in the open part."""
        out.truncate(0)
        out.seek(0)
        self.hasher.wait()
        self.hasher.sha = start_digest(self.file)


def name_part(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


def measure(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist."""
    return path.stat().st_size if path.is_file() else 0


def has_content(file: RemoteFile, path: Path, count: Count = lambda count: None) -> bool:
    """Return whether a file on the disk has the listed size and digest."""
    if file.size is not None and measure(path) != file.size:
        return False
    algorithm = start_digest(file)
    update(algorithm, path, count)
    return file.digest is None or algorithm.hexdigest() == file.digest


def start_digest(file: RemoteFile) -> "hashlib._Hash":
    """Return the algorithm of the listed digest, before the first byte of the content."""
    if file.sha256 is None and file.git_id is not None:
        return hashlib.sha1(b"blob %d\0" % (file.size or 0), usedforsecurity=False)
    return hashlib.sha256()


def update(algorithm: "hashlib._Hash", path: Path, count: Count = lambda count: None) -> None:
    """Add the bytes of a file to a digest."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            algorithm.update(piece)
            count(len(piece))
