"""What is known of a step that was made: its key's pre-image, what came out, what it took."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpt2forge.digest import digest_value
from gpt2forge.store.stat_cache import DIGEST

PreImage = Mapping[str, Any]
"""Everything that decides what a step makes, as JSON: see gpt2forge.plan.key."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One step that was made. It is written last, and makes its artifact exist.

    `seconds` is wall-clock time, `peak_memory_bytes` anonymous memory, `created` seconds since 1970. What the step read
    and wrote is None in a record of an earlier version.
    """

    key: str
    stage: str
    pre_image: PreImage
    digest: str
    metrics: Mapping[str, Any]
    seconds: float
    peak_memory_bytes: int
    created: float
    bytes_read: int | None = None
    bytes_written: int | None = None

    def to_bytes(self) -> bytes:
        """JSON that carries its own digest, so that a damaged record is no record."""
        body = asdict(self)
        return json.dumps({"sha256": digest_value(body), "record": body}, indent=1, sort_keys=True).encode()


def parse_record(data: bytes) -> Record | None:
    """Take a record that was read from disk; None when it is damaged."""
    try:
        value = json.loads(data)
        body = value["record"]
        record = Record(**body)
        words = (record.key, record.stage, record.digest)
        numbers = (record.seconds, record.created, record.bytes_read or 0, record.bytes_written or 0)
        is_ours = all(isinstance(word, str) for word in words) and all(isinstance(one, int | float) for one in numbers)
        is_ours = is_ours and DIGEST.fullmatch(record.digest) is not None  # it becomes part of a path
        is_ours = is_ours and isinstance(record.pre_image, dict) and isinstance(record.metrics, dict)
        return record if is_ours and digest_value(body) == value["sha256"] else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
