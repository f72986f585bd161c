"""A built directory, open: text in, text out. What `gpt2forge generate` and `gpt2forge.load` share."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

from tokenizers import Tokenizer

from gpt2forge.errors import UserError, check_argument
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.sampling import Sampling, make_sampler
from gpt2forge.runtime.score import Score, score_tokens
from gpt2forge.runtime.text import TextStream, encode_text, read_tokenizer

CROWD = 4  # threads a core, which is more than ever helps
USUAL = 128  # new tokens, where the context has room for them and the user did not say


@dataclass(frozen=True, eq=False)
class Model:
    """A model and its tokenizer. `end` is its end-of-text token. Several threads may use one at the same time."""

    decoder: Decoder = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    end: int

    @property
    def context(self) -> int:
        """How many tokens it takes at most, the new ones among them."""
        return self.decoder.context

    def encode(self, text: str) -> list[int]:
        """The ids of a text; `<|endoftext|>` in it is one token. Raises UserError where it is not Unicode text."""
        return encode_text(self.tokenizer, text)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of these ids; bytes that make no character become U+FFFD. Raises UserError for an unknown id."""
        for token in tokens:
            check_argument("tokens", token, Integral)
        unknown = [token for token in tokens if not 0 <= token < self.decoder.vocabulary]
        if unknown:
            raise UserError(f"the token {unknown[0]} is not among this model's {self.decoder.vocabulary}")
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
        """The text that the model adds to the prompt; what `stream` gives, in one piece."""
        return "".join(self.stream(prompt, max_tokens, temperature, top_k, top_p, seed))

    def stream(
        self,
        prompt: str,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """The text that the model adds to the prompt, each piece as soon as it is whole characters.

        At most `max_tokens` tokens, 128 if the context has room unless told; the end-of-text token ends it unseen.
        `temperature` 0: always the likeliest token. Else drawn from the `top_k` likeliest (0: all), and of those from
        the likeliest that together have the share `top_p`; equal seeds draw equal texts.
        Raises UserError, before anything runs, where a value is out of its range or the prompt does not fit.
        """
        tokens = self.continue_tokens(prompt, max_tokens, Sampling(temperature, top_k, top_p, seed))
        return (piece for piece in self.spell(tokens) if piece)

    def score(self, text: str) -> Score:
        """How likely the model finds a text.

        A text that is longer than the context is cut into windows of the whole context, one after the other (the
        stride is the context): of each, every token but the first is predicted from those before it in the window.
        Raises UserError for a text of fewer than two tokens.
        """
        return score_tokens(self.decoder.read, self.encode(text), self.context)

    def continue_tokens(self, prompt: str, max_tokens: int | None, sampling: Sampling) -> Iterator[int]:
        """The tokens that follow a prompt; an empty one begins as a text of its own does."""
        if max_tokens is not None:
            check_argument("max_tokens", max_tokens, Integral)
            if max_tokens < 1:
                raise UserError(f"{max_tokens} new tokens were asked for; ask for 1 or more")
        tokens = self.encode(prompt) or [self.end]
        room = self.context - len(tokens)
        if room < 1:
            raise UserError(f"the prompt's {len(tokens)} tokens leave no room in its {self.context}; shorten it")
        wanted = min(USUAL, room) if max_tokens is None else max_tokens
        return self.decoder.generate(tokens, wanted, make_sampler(sampling), self.end)

    def spell(self, tokens: Iterable[int]) -> Iterator[str]:
        """The text of tokens as they come: a piece for each, which may be empty, and one for what is left."""
        words = TextStream(self.tokenizer)
        for token in tokens:
            yield words.push(token)
        yield words.finish()


def open_model(folder: Path, threads: int = 0) -> Model:
    """Open a built directory; 0 threads: one for each core. Raises UserError where it is not whole."""
    check_threads(threads)
    try:
        tokenizer, decoder = read_tokenizer(folder), open_decoder(folder, threads)
        end = json.loads((folder / "config.json").read_text())["eos_token_id"]
    except UserError:
        raise
    except Exception as error:  # each library has its own kinds for a file that is cut off or edited
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}: cannot be opened: {reason}; is it complete? build or copy it again") from error
    return Model(decoder, tokenizer, end)


def check_threads(threads: int) -> None:
    """Raises UserError for more threads than any machine of this size has use for: starting them takes minutes."""
    check_argument("threads", threads, Integral)
    most = CROWD * (os.cpu_count() or 1)
    if not 0 <= threads <= most:
        raise UserError(f"{threads} threads were asked for; here it may be 0 (one for each core) to {most}")
