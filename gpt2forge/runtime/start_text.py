"""Begins the texts of a call of `generate`, from prompts and settings."""

from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from gpt2forge.errors import UserError
from gpt2forge.runtime.choice import Edits
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.forced_words import Word
from gpt2forge.runtime.generation import Generation
from gpt2forge.runtime.growing_text import GrowingText
from gpt2forge.runtime.prompt import encode_prompt, encode_word, fit_prompt
from gpt2forge.runtime.stops import StopFinder
from gpt2forge.runtime.text import check_rows, open_stream


class Opened(Protocol):
    """An open package: see Model."""

    @property
    def decoder(self) -> Decoder: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def ends(self) -> tuple[int, ...]: ...
    @property
    def begin(self) -> int | None: ...
    @property
    def stops(self) -> tuple[str, ...]: ...


def start_text(
    opened: Opened, prompt: str, settings: Generation, sample: int = 0, add_special_tokens: bool = True
) -> GrowingText:
    """Return the text that a prompt begins; an empty one begins with the token that begins texts.

    The seed of a `sample` is that many more than the one of the settings. `add_special_tokens`: whether the tokenizer
    puts tokens around the prompt, which a chat's template does by itself.
    Raises UserError if the prompt does not fit, or if a setting names a token that the model does not have.
    """
    context, rows = opened.decoder.context, opened.decoder.vocabulary
    check_settings(settings, rows)
    tokens = encode_prompt(opened.tokenizer, prompt, settings, context, add_special_tokens)
    fitting, limit = fit_prompt(tokens or [find_begin(opened.begin)], settings, context)
    check_rows(opened.tokenizer, fitting, rows)
    seed = None if settings.seed is None else settings.seed + sample
    return GrowingText(
        fitting,
        limit=limit,
        ends={*opened.ends, *settings.ends},
        spelling=open_stream(opened.tokenizer),
        stops=StopFinder((*opened.stops, *settings.stop)),
        generator=np.random.default_rng([seed or 0, 0]),  # the second number was the sample's; texts of a seed stay
        seed=seed,
    )


def make_edits(opened: Opened, settings: Generation) -> Edits:
    """Return the changes of logits that the settings ask for."""
    return Edits(
        bias=settings.bias,
        repetition=settings.repetition_penalty,
        ngram=settings.no_repeat_ngram,
        banned=[tokens for word in settings.banned for tokens in encode_word(opened.tokenizer, word)],
        ends={*opened.ends, *settings.ends},
        least=settings.min_tokens,
        is_endless=settings.ignore_end,
        presence=settings.presence_penalty,
        frequency=settings.frequency_penalty,
    )


def spell_forced(opened: Opened, settings: Generation) -> list[Word]:
    """Return the spellings of each word that must be written."""
    return [encode_word(opened.tokenizer, word) for word in settings.forced]


def check_settings(settings: Generation, rows: int) -> None:
    """Raise UserError if the settings name a token that the model does not have."""
    for name, tokens in (("ends", settings.ends), ("bias", settings.bias)):
        wrong = next((token for token in tokens if not 0 <= token < rows), None)
        if wrong is not None:
            raise UserError(f"{name} names the token {wrong}, but this model has the tokens 0 to {rows - 1}")


def find_begin(begin: int | None) -> int:
    """Return the token that stands before a text without a prompt. Raises UserError if the model names none."""
    if begin is None:
        raise UserError("an empty prompt needs a token to start from, and this model names none; give a prompt")
    return begin
