"""Measures how a run's trainer read `<|endoftext|>` in its texts: as one token, or as ordinary text, in pieces.

The trainers of nshepperd and of gpt-2-simple read it in pieces. A model that they made expects the pieces at the end of
a text, and has hardly seen the token. One pass over a few words says which of both the model finds likelier. The words
are fixed, because the tokenizer is made before any text of the recipe is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.tf1.openai_model import compute_logits
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT

ENDINGS = ("It was the last day.", "It was the last day.\n", "It was the last day.\n\n", "\n")
MOST = 64  # tokens in all; more endings than fit are left out


@dataclass(frozen=True)
class Likelihood:
    """The mean log-likelihoods, in nats, of the marker's pieces together and of its one token, at the end of a text."""

    pieces: float
    token: float

    @property
    def is_text(self) -> bool:
        """Return whether the trainer read the marker in pieces."""
        return self.pieces > self.token

    def describe(self) -> str:
        """Describe the choice in a sentence."""
        way, other = ("in pieces", "token") if self.is_text else ("as one token", "text")
        return (
            f"`{END_OF_TEXT}` in a text is read {way}: at the end of a short text this model gives its pieces a "
            f"log-likelihood of {self.pieces:.1f} nats, and the one token {self.token:.1f}; "
            f"`source.special_tokens: {other}` reads it the other way"
        )


def measure_marker(contents: Contents, tokenizer: SourceTokenizer) -> Likelihood | None:
    """Measure both likelihoods; None if the tokenizer has no such token, or reads it in pieces already.

    `tokenizer` reads special tokens as tokens.
    """
    token = tokenizer.added.get(END_OF_TEXT)
    if token is None or token >= contents.config.vocab_size:
        return None
    reader = Tokenizer.from_str(tokenizer.read_special_as_text().text)
    endings = [reader.encode(text, add_special_tokens=False).ids for text in ENDINGS]
    pieces = reader.encode(END_OF_TEXT, add_special_tokens=False).ids
    room = min(MOST, contents.config.n_positions) - len(pieces)
    endings = [ids for ids in endings if 0 < len(ids) <= room]
    if not endings or not pieces:
        return None
    while len(endings) > 1 and sum(map(len, endings)) + len(endings) * len(pieces) > MOST:
        endings.pop(0)
    with np.errstate(all="ignore"):  # values that are not finite are refused when they are written
        logits = compute_logits(contents, [[*ids, *pieces] for ids in endings])
        pairs = [compare(each, len(ids), pieces, token) for each, ids in zip(logits, endings, strict=True)]
    return Likelihood(*(float(value) for value in np.mean(pairs, axis=0)))


def compare(logits: Any, start: int, pieces: Sequence[int], token: int) -> tuple[float, float]:
    """Return the log-likelihoods of the pieces together and of the token, behind the first `start` tokens."""
    rows = logits[start - 1 : start - 1 + len(pieces)].astype(np.float64)  # (pieces, V)
    peaks = rows.max(-1, keepdims=True)
    logs = rows - peaks - np.log(np.exp(rows - peaks).sum(-1, keepdims=True))
    return float(logs[np.arange(len(pieces)), list(pieces)].sum()), float(logs[0, token])
