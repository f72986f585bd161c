"""Generates tokens with our own runtime, one at a time: the reference for every host."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.text import read_tokenizer


@dataclass(frozen=True)
class Continuation:
    """The ids of a prompt, the tokens that follow, and the smallest lead of a token's logit over the second largest."""

    ids: list[int]
    tokens: list[int]
    lead: float


def continue_prompts(folder: Path, prompts: Sequence[str], new: int) -> list[Continuation]:
    """Continue each prompt for `new` tokens with the package in `folder`, taking the likeliest token each time."""
    tokenizer, decoder = read_tokenizer(folder), open_decoder(folder)
    return [continue_ids(decoder, tokenizer.encode(prompt).ids, new) for prompt in prompts]


def continue_ids(decoder: Decoder, ids: list[int], new: int) -> Continuation:
    step, following = decoder.start(len(ids) + new), ids
    tokens: list[int] = []
    leads: list[float] = []
    for _ in range(new):
        (logits,) = step(np.array([following], np.int64))
        second, first = np.partition(logits, -2)[-2:]
        leads.append(float(first - second))
        following = [int(logits.argmax())]
        tokens += following
    return Continuation(ids, tokens, min(leads))
