"""Blobs: bytes that are named by their sha256, as levels keep them; a large file is several."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.manifest import File

LARGEST = 1 << 30  # bytes; many servers and proxies refuse more in one request
PIECE = 1 << 20  # bytes to read at once


class SourceDamaged(UserError):
    """A file of the local store does not hold the bytes that it should."""


@dataclass(frozen=True)
class Blob:
    """The sha256 of some bytes, in hexadecimal digits, and how many they are."""

    digest: str
    size: int


@dataclass(frozen=True)
class Content:
    """A blob that lies in a file, from an offset on; `on_read` gets the size of each piece that is read."""

    blob: Blob
    path: Path
    offset: int = 0
    on_read: Callable[[int], None] = field(default=lambda size: None, compare=False)

    def read(self, check: Callable[[], None] = lambda: None) -> Iterator[bytes]:
        """Yield the bytes in pieces; `check` is called before each.

        The last piece is held back until the digest is known to be right. So a server that was told the length never
        takes damaged bytes for the whole. Raises SourceDamaged for these.
        """
        algorithm, left = sha256(), self.blob.size
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left:
                check()
                piece = file.read(min(PIECE, left))
                algorithm.update(piece)
                left -= len(piece)
                if not piece or (left == 0 and algorithm.hexdigest() != self.blob.digest):
                    raise SourceDamaged(f"{self.path}: is damaged; `gpt2forge store verify --repair` puts it aside")
                self.on_read(len(piece))
                yield piece


def split(path: Path, file: File, largest: int = LARGEST) -> tuple[Blob, ...]:
    """Return the blobs of a file: itself, or if it is too large, its parts in order."""
    if file.size <= largest:
        return (Blob(file.digest, file.size),)
    blobs = []
    with path.open("rb") as opened:
        for start in range(0, file.size, largest):
            algorithm, left = sha256(), min(largest, file.size - start)
            size = left
            while left and (piece := opened.read(min(PIECE, left))):
                algorithm.update(piece)
                left -= len(piece)
            blobs.append(Blob(algorithm.hexdigest(), size))
    return tuple(blobs)


def locate(path: Path, blobs: Sequence[Blob]) -> Iterator[Content]:
    """Yield where each of a file's blobs lies."""
    offset = 0
    for blob in blobs:
        yield Content(blob, path, offset)
        offset += blob.size
