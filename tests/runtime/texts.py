"""Begins texts of plain tokens, and continues them."""

from collections.abc import Sequence

import numpy as np

from gpt2forge.runtime.choice import Chooser, Edits
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.generate import continue_texts
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.sampling import GREEDY, Sampling
from gpt2forge.runtime.stops import StopFinder


class Numbers:
    """Spells each token as its number and a space."""

    def push(self, token: int) -> str:
        return f"{token} "

    def finish(self) -> str:
        return "."


def begin(
    prompt: Sequence[int], limit: int, ends: Sequence[int] = (), stops: Sequence[str] = (), seed: int = 0
) -> GrowingText:
    generator = np.random.default_rng(seed)
    return GrowingText(prompt, limit=limit, ends=ends, spelling=Numbers(), stops=StopFinder(stops), generator=generator)


def run(decoder: Decoder, texts: Sequence[GrowingText], sampling: Sampling = GREEDY) -> list[list[int]]:
    """Continue texts until all have ended; return their new tokens."""
    for _ in continue_texts(decoder, texts, Chooser(Edits(), sampling)):
        pass
    return [text.added.tolist() for text in texts]
