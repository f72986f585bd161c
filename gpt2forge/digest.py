"""sha256 of bytes that exist, and the one canonical form of a JSON value."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHUNK = 1 << 22
SHORT = 1 << 16  # bytes that are hashed sooner than a thread has begun


def canonical_json(value: Any) -> bytes:
    """The bytes that stand for a JSON value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def digest_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digest_value(value: Any) -> str:
    """The digest of a JSON value's canonical form."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path, tell: Callable[[int], None] | None = None) -> str:
    """The digest of a file's content, read once and never held in memory; `tell` hears of every piece's bytes."""
    with path.open("rb", buffering=0) as file, Hasher() as hasher:
        size = max(SHORT, min(CHUNK, os.fstat(file.fileno()).st_size))
        pieces = bytearray(size), bytearray(size)
        while count := file.readinto(pieces[0]):
            hasher.update(memoryview(pieces[0])[:count])
            if tell:
                tell(count)
            pieces = pieces[1], pieces[0]
        return hasher.hexdigest()


@dataclass(frozen=True)
class Written:
    """A file that was hashed while it was written: its sha256, and its stat at the end of that.

    `size` in bytes and `mtime_ns` tell whether anything was written into it since.
    """

    digest: str
    size: int
    mtime_ns: int


class Hasher:
    """A sha256 that a thread of its own makes, while the caller reads or writes."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()
        self.pool = ThreadPoolExecutor(1)
        self.last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.shutdown()

    def update(self, data: memoryview) -> None:
        """Take these bytes too. They must stay as they are until the next call returns: so two buffers are enough."""
        self.wait()
        if len(data) < SHORT:
            self.sha.update(data)
        else:
            self.last = self.pool.submit(self.sha.update, data)

    def hexdigest(self) -> str:
        self.wait()
        return self.sha.hexdigest()

    def wait(self) -> None:
        if self.last:
            self.last.result()
