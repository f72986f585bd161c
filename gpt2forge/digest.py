"""sha256 of bytes that exist, and the one canonical form of a JSON value."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHUNK = 1 << 22


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
    sha = hashlib.sha256()
    piece = bytearray(CHUNK)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            sha.update(memoryview(piece)[:count])
            if tell:
                tell(count)
    return sha.hexdigest()
