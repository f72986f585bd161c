"""An open package with text on both sides, as `gpt2forge generate` and `gpt2forge.load` use it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

from tokenizers import Tokenizer

from gpt2forge.checkpoint.token_ids import BEGIN, END, choose_ids, read_named, take_first
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError, check_argument, is_undecodable
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.generate import generate_tokens
from gpt2forge.runtime.sampling import Sampling, make_sampler
from gpt2forge.runtime.score import Score, score_tokens
from gpt2forge.runtime.text import check_rows, encode_text, open_stream, read_tokenizer, stop_at

MOST_THREADS = 4  # per core; more never help
DEFAULT_NEW_TOKENS = 128  # if the context has room for them


@dataclass(frozen=True, eq=False)
class Model:
    """A model with its tokenizer. Several threads may use one model at once.

    Each of the tokens `ends`, and of the strings `stops`, ends a text and is no part of it. `begin` starts a text
    without a prompt; None if the model has no such token.
    """

    decoder: Decoder = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    ends: tuple[int, ...]
    begin: int | None
    stops: tuple[str, ...] = ()

    @property
    def context(self) -> int:
        """Return how many tokens the model takes at most, prompt and new tokens together."""
        return self.decoder.context

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; `<|endoftext|>` in it is one token.

        Raises UserError if it is not Unicode text, or if the model has no row for one of its tokens.
        """
        tokens = encode_text(self.tokenizer, text)
        check_rows(self.tokenizer, tokens, self.decoder.vocabulary)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ids; bytes that form no character become U+FFFD. Raises UserError for an unknown id."""
        for token in tokens:
            check_argument("tokens", token, Integral)
        unknown = [token for token in tokens if not 0 <= token < self.decoder.vocabulary]
        if unknown:
            raise UserError(
                f"the token {unknown[0]} is outside this model's vocabulary; "
                f"give tokens from 0 to {self.decoder.vocabulary - 1}"
            )
        return "".join(self.spell(tokens))

    def generate(
        self,
        prompt: str,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> str:
        """Return the text that the model adds to the prompt: the pieces of `stream` in one string."""
        return "".join(self.stream(prompt, max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed))

    def stream(
        self,
        prompt: str,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yield the text that the model adds to the prompt, in pieces of whole characters, as it is generated.

        The text ends before a token that ends it, or after `max_tokens` tokens, by default 128 or what the context has
        room for. `temperature` 0 always chooses the likeliest token. Otherwise each token is drawn from the
        `top_k` likeliest (0: all), and of those from the likeliest whose probabilities sum to `top_p`. Equal seeds
        draw equal texts.
        Raises UserError, before anything runs, if a value is out of range or the prompt does not fit.
        """
        sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        tokens = self.continue_tokens(prompt, max_tokens, sampling)
        return (piece for piece in stop_at(self.spell(tokens), self.stops) if piece)

    def score(self, text: str) -> Score:
        """Return how likely the model finds a text.

        A text longer than the context is cut into consecutive windows of the whole context. The model predicts each
        token of a window, except the first, from the tokens before it in the window.
        Raises UserError if the text has fewer than two tokens.
        """
        return score_tokens(self.decoder.read, self.encode(text), self.context)

    def continue_tokens(self, prompt: str, max_tokens: int | None, sampling: Sampling) -> Iterator[int]:
        """Yield the tokens that follow a prompt; an empty prompt starts a new text."""
        if max_tokens is not None:
            check_argument("max_tokens", max_tokens, Integral)
            if max_tokens < 1:
                raise UserError(f"{max_tokens} new tokens were asked for; ask for 1 or more")
        tokens = self.encode(prompt) or [self.start_text()]
        free = self.context - len(tokens)
        if free < 1:
            raise UserError(
                f"the prompt's {len(tokens)} tokens fill this model's context of {self.context}; shorten the prompt"
            )
        wanted = min(DEFAULT_NEW_TOKENS, free) if max_tokens is None else max_tokens
        return generate_tokens(self.decoder, tokens, wanted, sample=make_sampler(sampling), ends=self.ends)

    def start_text(self) -> int:
        """Return the token that stands before a text without a prompt. Raises UserError if the model names none."""
        if self.begin is None:
            raise UserError("an empty prompt needs a token to start from, and this model names none; give a prompt")
        return self.begin

    def spell(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield a piece of text for each token, which may be empty, and one for the bytes that are left at the end."""
        stream = open_stream(self.tokenizer)
        for token in tokens:
            yield stream.push(token)
        yield stream.finish()


def open_model(folder: Path, threads: int = 0) -> Model:
    """Open the package in `folder`; 0 threads means one per core. Raises UserError if the package is not complete."""
    check_threads(threads)
    try:
        tokenizer, decoder = read_tokenizer(folder), open_decoder(folder, threads)
        ends, begin = read_ends_and_begin(folder, decoder.vocabulary)
        stops = read_stops(folder)
    except Exception as error:  # each library raises its own kinds of errors for a cut or edited file
        if isinstance(error, UserError) or is_undecodable(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}: cannot be opened: {reason}; is it complete? build or copy it again") from error
    return Model(decoder, tokenizer, ends, begin, stops)


def read_ends_and_begin(folder: Path, vocabulary: int) -> tuple[tuple[int, ...], int | None]:
    """Return the tokens that end a text, and the one that starts it: where none is named, the first that ends it."""
    begin, ends = (choose_ids(read_named(folder, key), vocabulary) for key in (BEGIN, END))
    return ends, take_first(begin or ends)


def read_stops(folder: Path) -> tuple[str, ...]:
    """Return the strings that end a text, which generation_config.json names as `stop_strings`."""
    path = folder / "generation_config.json"
    found = read_object(path).get("stop_strings") if path.is_file() else None
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(text for text in listed if isinstance(text, str) and text)


def check_threads(threads: int) -> None:
    """Raise UserError for more threads than this machine can use; starting those would take minutes."""
    check_argument("threads", threads, Integral)
    most = MOST_THREADS * (os.cpu_count() or 1)
    if not 0 <= threads <= most:
        raise UserError(f"{threads} threads were asked for; here it may be 0 (one per core) to {most}")
