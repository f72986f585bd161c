"""Chooses what guesses the tokens of a text, by the settings."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from gpt2forge.runtime.draft import Draft, Opened, check_draft
from gpt2forge.runtime.generation import Generation
from gpt2forge.runtime.prompt_lookup import LONG, SHORT, PromptLookup
from gpt2forge.runtime.step import Array


class Guesser(Protocol):
    """Guesses how a text goes on. `cost`: how many steps of the model each guessed token takes."""

    cost: float

    def guess(self, text: Array, most: int) -> list[int]:
        """Return up to `most` tokens that may follow a text (L,)."""
        ...


StartGuesser = Callable[[], Guesser]
"""Starts a guesser for one text."""


def choose_guesser(model: Opened, settings: Generation) -> StartGuesser | None:
    """Return what starts the guesser for each text; None if nothing is guessed.

    Raises UserError if a draft has another vocabulary than the model.
    """
    if settings.speculative is None:
        return None
    if not isinstance(settings.speculative, str):
        check_draft(settings.speculative, model)
        return partial(Draft, settings.speculative, model)
    is_repeated = settings.temperature == 0 and model.decoder.rounding.patience is not None
    return partial(PromptLookup, LONG if is_repeated else SHORT)
