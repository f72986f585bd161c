"""The sections of the toy stages. No worker imports them."""

from typing import Literal

from gpt2forge.recipe.sections.section import Section


class Repetition(Section):
    times: int = 1
    end: Literal["fine", "fault", "crash", "kill", "full", "sleep", "orphan"] = "fine"


class Packing(Section):
    upper: bool = False


class Meeting(Section):
    """The section of `meet`: `place` is a folder that all share, `name` is its own file in it."""

    place: str
    name: str
    wants: Literal["company", "solitude"]


class Swapping(Section):
    """The folder above the source, which has the folders `one` and `other`."""

    above: str
