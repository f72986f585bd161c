"""sha256 of bytes that exist, and the one canonical form of a JSON value."""

import hashlib
import json
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


def digest_file(path: Path) -> str:
    """The digest of a file's content, read once and never held in memory."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256", _bufsize=CHUNK).hexdigest()
