"""Sizes as people write them: `20GB` or `500MB`, in powers of 1000."""

import re

PATTERN = r"(\d{1,15}(?:\.\d{1,9})?) ?([KMGTkmgt]?)[Bb]?"
POWERS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """A size in bytes; raises ValueError for what is none."""
    found = re.fullmatch(PATTERN, text, re.ASCII)
    if found is None:
        raise ValueError("must be a size, as in `20GB` or `500MB`")
    return int(float(found[1]) * POWERS[found[2].upper()])
