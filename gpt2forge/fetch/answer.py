"""Reads the parts of an HTTP answer that a download depends on."""

import re
from collections.abc import Mapping

RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})", re.ASCII)
NUMBER = re.compile(r"\d{1,18}", re.ASCII)

PASSING = {408, 429, 500, 502, 503, 504}
"""The states of HTTP that may pass."""


def parse_extent(status: int, headers: Mapping[str, str]) -> tuple[int, int | None]:
    """Return the offset at which the body starts, and the length of the whole file; None if it is not known."""
    extent = RANGE.fullmatch(headers.get("Content-Range") or "")
    if status == 206 and extent:
        return int(extent[1]), int(extent[2])
    length = NUMBER.fullmatch(headers.get("Content-Length") or "")
    is_plain = (headers.get("Content-Encoding") or "identity") == "identity"
    return 0, int(length[0]) if is_plain and length else None


def parse_wait(headers: Mapping[str, str]) -> float:
    """Return the seconds of `Retry-After`; 0 if it holds a date or nothing."""
    wait = NUMBER.fullmatch(headers.get("Retry-After") or "")
    return float(wait[0]) if wait else 0.0
