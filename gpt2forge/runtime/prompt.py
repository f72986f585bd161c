"""Encodes prompts, and fits them to the context. A prompt that is far too long is not encoded as a whole.

`overflow` says what happens when prompt and new tokens exceed the context:

error      nothing runs.
truncate   the beginning of the prompt is left out, so that the new tokens fit.
slide      the text goes on. Whenever it fills the context, the model goes on from the newer half.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tokenizers import Tokenizer

from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError
from gpt2forge.runtime.generation import Generation
from gpt2forge.runtime.text import FIRST_TRY, MARGIN, check_text, encode_text, has_more_tokens, read_tokenizer


def encode_prompt(
    tokenizer: Tokenizer, text: str, settings: Generation, context: int, add_special_tokens: bool = True
) -> list[int]:
    """Return the tokens of a prompt, or the last `context` of them unless `overflow` is `error`.

    `add_special_tokens`: whether those count that the tokenizer puts around a text.
    Raises UserError if it is not Unicode text, or has more tokens and `overflow` is `error`.
    """
    check_text(text)
    if not has_more_tokens(tokenizer, text, context):
        return encode_text(tokenizer, text, add_special_tokens)
    if settings.overflow == "error":
        raise UserError(
            f"the prompt has more tokens than this model's context of {context}; shorten it, or let its beginning be "
            "left out (`--overflow truncate`)"
        )
    return encode_ending(tokenizer, text, context)


def encode_word(tokenizer: Tokenizer, word: str) -> list[tuple[int, ...]]:
    """Return the tokens of a word as it stands at the start of a text, and behind a space."""
    found = (tuple(encode_text(tokenizer, text, add_special_tokens=False)) for text in (word, f" {word}"))
    return list(dict.fromkeys(tokens for tokens in found if tokens))


def check_prompts(folder: Path, prompts: Sequence[str], settings: Generation, add_special_tokens: bool = True) -> None:
    """Raise UserError if a prompt does not fit the package in `folder`, which need not be open.

    A prompt of fewer bytes than the context has tokens is left for later: opening the package tells as well.
    """
    context = read_object(folder / "config.json").get("n_positions")
    if not isinstance(context, int):
        return
    long = [number for number, prompt in enumerate(prompts) if len(prompt.encode()) >= context]
    if not long:
        return
    tokenizer, count = read_tokenizer(folder), len(prompts)
    for number in long:
        with name_prompt(number, count):
            tokens = encode_prompt(tokenizer, prompts[number], settings, context, add_special_tokens)
            fit_prompt(tokens, settings, context)


@contextmanager
def name_prompt(number: int, count: int) -> Iterator[None]:
    """Let an error name a prompt by its number, counted from 0, if there are several."""
    try:
        yield
    except UserError as error:
        if count == 1:
            raise
        raise UserError(f"prompt {number + 1}: {error}") from error


def encode_ending(tokenizer: Tokenizer, text: str, most: int) -> list[int]:
    """Return the last `most` tokens of a text, as `encode_beginning` returns the first."""
    characters = FIRST_TRY * most
    while True:
        tokens: list[int] = tokenizer.encode(text[-characters:], add_special_tokens=False).ids
        if len(tokens) >= most + MARGIN or characters >= len(text):
            return tokens[-most:]
        characters *= 2


def fit_prompt(tokens: Sequence[int], settings: Generation, context: int) -> tuple[list[int], int]:
    """Return the tokens of a prompt that the model reads, and how many new ones may follow.

    Raises UserError if they do not fit and `overflow` is `error`.
    """
    if settings.overflow == "slide":
        return list(tokens if len(tokens) < context else tokens[-(context // 2) :]), choose_limit(settings, context)
    if settings.overflow == "truncate":
        limit = choose_limit(settings, max(context - len(tokens), context // 2))
        if limit >= context:
            raise UserError(f"{limit} new tokens fill this model's context of {context}; ask for at most {context - 1}")
        return list(tokens[-(context - limit) :]), limit
    limit = choose_limit(settings, max(context - len(tokens), 1))
    check_fit(len(tokens), limit, context)
    return list(tokens), limit


def choose_limit(settings: Generation, free: int) -> int:
    """Return the most new tokens that the settings ask for, by default those for which there is room."""
    if settings.max_tokens is not None:
        return int(settings.max_tokens)
    return max(min(settings.usual_tokens, free), settings.min_tokens)


def check_fit(count: int, limit: int, context: int) -> None:
    """Raise UserError if a prompt of `count` tokens and `limit` new ones exceed the context."""
    other = "or use `--overflow truncate` or `--overflow slide`"
    if count >= context:
        raise UserError(f"the prompt's {count} tokens fill this model's context of {context}; shorten it, {other}")
    if count + limit > context:
        raise UserError(
            f"the prompt's {count} tokens and {limit} new ones exceed this model's context of {context}; "
            f"ask for at most {context - count} new ones, {other}"
        )
