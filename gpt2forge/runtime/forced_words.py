"""Makes a beam search write given words.

Besides the likeliest continuations of each beam, the search considers the next token of each word that the beam lacks.
Beams are then chosen in turn from banks, each of which holds the hypotheses that have as much of the words. So some
beams are always close to having all words, and some are free to find a better place for them.

Fast Lexically Constrained Decoding with Dynamic Beam Allocation, https://arxiv.org/abs/1804.06609.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any

import numpy as np

from gpt2forge.runtime.hypothesis import Hypothesis

Array = np.ndarray[Any, Any]
Word = Sequence[tuple[int, ...]]
"""The ways to spell a word in tokens; one of them must occur."""


def has_all(tokens: Sequence[int], words: Sequence[Word]) -> bool:
    """Return whether every word occurs in the tokens."""
    return all(any(occurs(tokens, spelling) for spelling in word) for word in words)


def occurs(tokens: Sequence[int], spelling: tuple[int, ...]) -> bool:
    """Return whether these tokens stand behind each other somewhere."""
    size = len(spelling)
    return any(tuple(tokens[start : start + size]) == spelling for start in range(len(tokens) - size + 1))


def count_begun(tokens: Sequence[int], spelling: tuple[int, ...]) -> int:
    """Return how many of a word's tokens the text ends with, fewer than all."""
    sizes = range(min(len(tokens), len(spelling) - 1), 0, -1)
    return next((size for size in sizes if tuple(tokens[-size:]) == spelling[:size]), 0)


def measure_progress(tokens: Sequence[int], words: Sequence[Word]) -> float:
    """Return how many words the tokens have; a word that the text ends within counts in part."""
    return sum(
        max(1.0 if occurs(tokens, each) else count_begun(tokens, each) / len(each) for each in word) for word in words
    )


def list_forced(scores: Array, running: Sequence[Hypothesis], words: Sequence[Word]) -> Iterator[Hypothesis]:
    """Yield each beam continued by the next token of each word that it lacks, by its scores (B, V)."""
    for row, beam in enumerate(running):
        lacking = [word for word in words if not has_all(beam.tokens, [word])]
        for token in sorted({each[count_begun(beam.tokens, each)] for word in lacking for each in word}):
            if scores[row, token] > -np.inf:
                yield Hypothesis((*beam.tokens, token), float(scores[row, token]), row)


def take_in_turn(candidates: Sequence[Hypothesis], words: Sequence[Word], count: int) -> list[Hypothesis]:
    """Return `count` candidates, best first in each bank, taken from the banks in turn."""
    different = {each.tokens: each for each in candidates}.values()
    known = sorted(
        ((measure_progress(each.tokens, words), each) for each in different),
        key=lambda pair: (-pair[0], -pair[1].total),
    )
    banks = [[each for _, each in bank] for _, bank in groupby(known, key=lambda pair: pair[0])]
    turns = (each for turn in zip_longest(*banks) for each in turn if each is not None)
    return [each for each, _ in zip(turns, range(count), strict=False)]
