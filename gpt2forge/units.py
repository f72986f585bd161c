"""Sizes, amounts and percentages as people read and write them: `20GB`, `500 MB` (powers of 1000), `0.5%`."""

import re

SIZE = r"(\d{1,15}(?:\.\d{1,9})?) ?([KMGTkmgt]?)[Bb]?"
PERCENTAGE = r"(\d{1,3}(?:\.\d{0,12})?|\.\d{1,12})%"
UNITS = ("B", "kB", "MB", "GB", "TB")
POWERS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_size(text: str) -> int:
    """Return a size in bytes. Raises ValueError for text that is not a size."""
    found = re.fullmatch(SIZE, text, re.ASCII)
    if found is None:
        raise ValueError("must be a size, as in `20GB` or `500MB`")
    return int(float(found[1]) * POWERS[found[2].upper()])


def parse_percentage(text: str) -> float | None:
    """Return `80%` as 0.8; None for what is no percentage."""
    found = re.fullmatch(PERCENTAGE, text, re.ASCII)
    return float(found[1]) / 100 if found else None


def format_size(count: float) -> str:
    """Return bytes with one decimal and the largest unit that fits."""
    for unit in UNITS:
        if count < 1000 or unit == UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def format_amount(count: float, unit: str) -> str:
    """Return a number of units as text; the unit `B` is bytes."""
    return format_size(count) if unit == "B" else f"{count:.0f} {unit}"


def count(number: int, word: str) -> str:
    """Format a number and its noun."""
    return f"{number} {word}{'' if number == 1 else 's'}"
