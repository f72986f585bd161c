"""Explains indentation that makes no sense, from the lines above it."""

import re
from collections.abc import Iterator, Sequence

COLON = re.compile(r":(?:\s|$)")

Above = tuple[int, int, str, str]
"""A key above: its line and its indentation, from 0, its name, and what stands behind its colon."""


def explain_deeper(lines: Sequence[str], number: int) -> tuple[tuple[int, int], str]:
    """Explain the key of a line that is indented deeper than a key above that has a value."""
    line = lines[number]
    indent, name = measure(line), name_key(line)
    above = next(list_above(lines, number), None)
    if above is None or not above[3]:
        return (number, indent), f"no key may stand here, as `{name}` does; write each on a line of its own"
    fix = f"use {count_spaces(above[1])}, as `{above[2]}` has, or remove the value of `{above[2]}`"
    return (number, indent), f"`{name}` is indented deeper than `{above[2]}` above, which has a value; {fix}"


def explain_other(lines: Sequence[str], number: int) -> tuple[tuple[int, int], str]:
    """Explain the key of a line that is indented as no key above."""
    indent, name = measure(lines[number]), name_key(lines[number])
    nearest = next(list_above(lines, number), None)
    if nearest and nearest[1] < indent:
        return explain_deeper(lines, number)
    levels: dict[int, str] = {}
    for _, depth, key, _ in list_above(lines, number):
        if not levels or depth < min(levels):
            levels[depth] = key
    choices = " or ".join(f"{depth}, as `{key}`" for depth, key in sorted(levels.items(), reverse=True))
    fix = f"; use {choices}" if choices else ""
    return (number, indent), f"`{name}` is indented by {count_spaces(indent)}, as no key above it{fix}"


def list_above(lines: Sequence[str], number: int) -> Iterator[Above]:
    """Yield the keys above a line, the nearest first."""
    for above in range(number - 1, -1, -1):
        found = split_key(lines[above])
        if found:
            yield above, measure(lines[above]), *found


def find_content(lines: Sequence[str], number: int) -> int | None:
    """Return the nearest line above that is neither empty nor a comment; None if there is none."""
    return next((each for each in range(number - 1, -1, -1) if is_content(lines[each])), None)


def is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def measure(line: str) -> int:
    """Return the column, from 0, of the key or the text of a line."""
    text = line.lstrip(" ")
    return len(line) - len(text.removeprefix("- ").lstrip(" "))


def name_key(line: str) -> str:
    """Return the key of a line, or its beginning."""
    found = split_key(line)
    return found[0] if found else line.strip().partition(":")[0]


def split_key(line: str) -> tuple[str, str] | None:
    """Return the key of a line and what stands behind its colon; None for a line without a key."""
    text = line.strip().removeprefix("- ")
    colon = COLON.search(text)
    if not is_content(line) or colon is None or not colon.start():
        return None
    return text[: colon.start()].rstrip(), text[colon.end() :].strip()


def count_spaces(number: int) -> str:
    return f"{number or 'no'} space{'' if number == 1 else 's'}"
