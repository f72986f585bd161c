"""Digests (sha256) of bytes and files, and the canonical form of JSON values."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gpt2forge.regular_file import open_binary

if TYPE_CHECKING:
    from concurrent.futures import Future

CHUNK = 1 << 22  # bytes to read at once
SHORT = 1 << 16  # bytes; fewer are hashed faster than a thread starts


def canonical_json(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def digest_bytes(data: bytes) -> str:
    """Return the sha256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """Return the digest of a JSON value's canonical form."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """Return the digest of a file, read once in pieces; `advance` is called with the bytes of each piece."""
    with open_binary(path) as file:
        return digest_open_file(file, advance)


def digest_open_file(file: FileIO, advance: Callable[[int], None] | None = None) -> str:
    """Return the digest of an open file from its position on. See digest_file."""
    with Hasher() as hasher:
        size = max(SHORT, min(CHUNK, os.fstat(file.fileno()).st_size))
        pieces = bytearray(size), bytearray(size)
        while count := file.readinto(pieces[0]):
            hasher.update(memoryview(pieces[0])[:count])
            if advance:
                advance(count)
            pieces = pieces[1], pieces[0]
        return hasher.hexdigest()


@dataclass(frozen=True)
class Written:
    """A file that was hashed while it was written: its sha256, and its stat right after that.

    Another `size` (bytes) or `mtime_ns` shows that something was written to it since.
    """

    digest: str
    size: int
    mtime_ns: int


class Hasher:
    """A digest, by default sha256, that is computed in another thread while the caller reads or writes."""

    def __init__(self, algorithm: "hashlib._Hash | None" = None) -> None:
        self.sha = algorithm or hashlib.sha256()
        from concurrent.futures import ThreadPoolExecutor  # its import costs as much as that of this module

        self.pool = ThreadPoolExecutor(1)
        self.last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown()

    def update(self, data: memoryview) -> None:
        """Add bytes. The caller must not change them until the next call returns, so it needs two buffers."""
        self.wait()
        if len(data) < SHORT:
            self.sha.update(data)
        else:
            self.last = self.pool.submit(self.sha.update, data)

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far."""
        self.wait()
        return self.sha.hexdigest()

    def wait(self) -> None:
        """Wait until the bytes of the last call are hashed."""
        if self.last:
            self.last.result()
