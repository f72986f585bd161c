"""Runs the texts of a call of `generate`: in batches, or by searches with beams."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.beam_search import search_beams
from gpt2forge.runtime.choice import Chooser, Edits, edit_logits
from gpt2forge.runtime.completion import Completion, make_completion
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.forced_words import Word
from gpt2forge.runtime.generate import Cancel, continue_texts
from gpt2forge.runtime.generation import Generation
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.guesser import StartGuesser
from gpt2forge.runtime.hypothesis import Hypothesis
from gpt2forge.runtime.prompt_cache import PromptCache
from gpt2forge.runtime.speculation import guess_and_check

Array = np.ndarray[Any, Any]
Begun = tuple[str, GrowingText]
"""A prompt, and the text that it begins."""


def run_batches(
    decoder: Decoder,
    texts: Sequence[Begun],
    batch: int,
    choose: Chooser,
    start_guesser: StartGuesser | None,
    cancel: Cancel | None,
    settings: Generation,
    cache: PromptCache | None = None,
) -> Iterator[Completion]:
    """Continue texts in batches, or one by one with guesses or a cache; yield each batch as soon as it is done."""
    size = batch if start_guesser is None and cache is None else 1
    for start in range(0, len(texts), size):
        together = texts[start : start + size]
        growing = [text for _, text in together]
        for _ in continue_all(decoder, growing, choose, start_guesser, cancel, settings, cache):
            pass
        yield from (make_completion(prompt, text) for prompt, text in together)


def continue_all(
    decoder: Decoder,
    texts: Sequence[GrowingText],
    choose: Chooser,
    start_guesser: StartGuesser | None,
    cancel: Cancel | None,
    settings: Generation,
    cache: PromptCache | None = None,
) -> Iterator[None]:
    """Add tokens to texts until each has ended; yield whenever some have come."""
    if start_guesser is None:
        return continue_texts(decoder, texts, choose, cancel, cache)
    tokens = settings.speculative_tokens
    return chain.from_iterable(
        guess_and_check(decoder, text, choose, start_guesser(), cancel, tokens) for text in texts
    )


@dataclass(frozen=True)
class BeamHistory:
    """The tokens of a prompt and of a beam that continues it."""

    prompt: Array
    added: Array

    @property
    def tokens(self) -> Array:
        return np.concatenate([self.prompt, self.added])


def run_searches(
    decoder: Decoder,
    texts: Sequence[Begun],
    samples: int,
    settings: Generation,
    edits: Edits,
    words: Sequence[Word],
    cancel: Cancel | None,
) -> Iterator[Completion]:
    """Search a continuation of each prompt; `samples` texts in a row have the same prompt, and get its best ones."""
    for start in range(0, len(texts), samples):
        together = texts[start : start + samples]
        found = search_text(decoder, together[0][1], settings, edits, words, cancel)
        for number, (prompt, text) in enumerate(together):
            fill_text(text, found[number].tokens if number < len(found) else ())
            yield make_completion(prompt, text)


def search_text(
    decoder: Decoder,
    text: GrowingText,
    settings: Generation,
    edits: Edits,
    words: Sequence[Word],
    cancel: Cancel | None,
) -> list[Hypothesis]:
    """Return the hypotheses that a search finds until it ends or is cancelled.

    Raises UserError if it ends without one that has all words.
    """

    def edit(scores: Array, beams: Sequence[Sequence[int]]) -> Array:
        return edit_logits(scores, [BeamHistory(text.tokens, np.array(added, np.int64)) for added in beams], edits)

    found: list[Hypothesis] = []
    for latest in search_beams(
        decoder,
        text.tokens.tolist(),
        beams=settings.beams,
        limit=text.limit,
        ends=text.ends,
        length_penalty=settings.length_penalty,
        words=words,
        edit=edit,
    ):
        found = latest
        if cancel is not None and cancel.is_set():
            return found
    if not found:
        raise UserError(
            f"no text of up to {text.limit} tokens with all forced words was found; allow more tokens or beams"
        )
    return found


def fill_text(text: GrowingText, tokens: Sequence[int]) -> None:
    """Add tokens to a text until it ends; it was cancelled if they do not end it."""
    for token in tokens:
        if text.finish is None:
            text.add(token)
    text.end("cancelled")


def check_samples(samples: int, settings: Generation) -> None:
    """Raise UserError if a search has fewer beams than texts are asked of it."""
    if 1 < settings.beams < samples:
        raise UserError(f"{samples} samples need as many beams, but there are {settings.beams}; ask for more beams")
