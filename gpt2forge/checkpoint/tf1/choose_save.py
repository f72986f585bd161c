"""Chooses one of the saves in a folder of TensorFlow's. A save has a prefix: `model-1000` of `model-1000.index`.

1. A recipe's step takes the save whose prefix ends in it; a path to one of its files, or its prefix, takes a save too.
   The file `checkpoint` is not read then.
2. Otherwise the file `checkpoint` names the save.
3. Without that file the only save is taken, or the one of the highest step if all have a step.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.tf1.pointer import read_pointer
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

POINTER = "checkpoint"
INDEX = ".index"
FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$", re.ASCII)
MOST_NAMES = 10  # in a message
STEP = re.compile(r"-(\d{1,18})$", re.ASCII)


@dataclass(frozen=True)
class Save:
    """A save by its prefix. `pointer` holds the name of the file that named it; empty if none was read."""

    prefix: str
    pointer: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose_save(folder: Path, names: set[str], wanted: Wanted) -> Save:
    """Choose a save among the files of a folder. Raises UserError if it is not there, or if several could be meant."""
    prefixes = sorted(name.removesuffix(INDEX) for name in names if name.endswith(INDEX))
    named = None if wanted.file is None else name_prefix(wanted.file)
    if wanted.step is not None:
        found = find_step(folder, prefixes, wanted.step)
        if named in prefixes and named != found:
            raise UserError(
                f"{folder}: the path names the save {quote_untrusted(named)}, but `source.step` is {wanted.step}; name "
                "the folder, or leave `source.step` out"
            )
        return Save(found)
    if named is not None and named in prefixes:
        return Save(named)
    if POINTER in names:
        prefix = read_pointer(folder / POINTER, names)
        return Save(prefix, (POINTER,), note_pointer(prefix, prefixes))
    return find_highest(folder, prefixes)


def name_prefix(file: str) -> str:
    """Return the prefix of a save by the name of one of its files, or by the prefix itself."""
    return FILE.sub("", file)


def read_step(prefix: str) -> int | None:
    """Return the training step at the end of a save's prefix, None if there is none."""
    match = STEP.search(prefix)
    return int(match[1]) if match else None


def find_step(folder: Path, prefixes: list[str], step: int) -> str:
    """Return the prefix of the save of this step. Raises UserError if there is none or several."""
    found = [prefix for prefix in prefixes if read_step(prefix) == step]
    if len(found) > 1:
        raise UserError(f"{folder}: {quote_all(found)} are of step {step}; keep one of them")
    if found:
        return found[0]
    steps = sorted({number for prefix in prefixes if (number := read_step(prefix)) is not None})
    there = f"there are the steps {cut(map(str, steps))}" if len(steps) > 1 else f"there is step {cut(map(str, steps))}"
    rest = there if steps else f"the names of {quote_all(prefixes)} hold no step, so leave `source.step` out"
    raise UserError(f"{folder}: holds no save of step {step}; {rest}")


def note_pointer(prefix: str, prefixes: list[str]) -> tuple[str, ...]:
    """Return the note on the save that the file `checkpoint` names, if there are others."""
    if len(prefixes) < 2:
        return ()
    others = [number for other in prefixes if (number := read_step(other)) is not None]
    step = read_step(prefix)
    is_newest = step is not None and step == max(others)
    rank = "the newest" if is_newest else "which the file `checkpoint` names,"
    return (f"the save {quote_untrusted(prefix)} is read, {rank} of {len(prefixes)}{suggest_step(others)}",)


def suggest_step(steps: list[int]) -> str:
    return "; `source.step` chooses another" if steps else ""


def find_highest(folder: Path, prefixes: list[str]) -> Save:
    """Return the only save, or that of the highest step. Raises UserError if one of several has no step."""
    if not prefixes:
        raise UserError(f"{folder}: holds no `.index` file; copy the whole checkpoint there")
    if len(prefixes) == 1:
        return Save(prefixes[0])
    steps = {prefix: read_step(prefix) for prefix in prefixes}
    numbers = sorted(number for number in steps.values() if number is not None)
    if len(numbers) < len(prefixes) or numbers[-1] == numbers[-2]:
        raise UserError(
            f"{folder}: holds the saves {quote_all(prefixes)}, but no file `checkpoint` that names one of them; "
            "set `source.step`, or keep one of them"
        )
    prefix = next(prefix for prefix, number in steps.items() if number == numbers[-1])
    what = f"the save {quote_untrusted(prefix)} is read, the one of the highest step of {len(prefixes)}"
    return Save(prefix, notes=(f"there is no file `checkpoint`, so {what}{suggest_step(numbers)}",))


def quote_all(prefixes: list[str]) -> str:
    return cut(map(quote_untrusted, prefixes))


def cut(words: Iterable[str]) -> str:
    """Return words with commas between them, at most MOST_NAMES."""
    shown = list(words)
    return ", ".join(shown[:MOST_NAMES]) + (", ..." if len(shown) > MOST_NAMES else "")
