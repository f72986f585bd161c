"""Generates tokens: a sampler chooses each one from the logits after the tokens before it."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from gpt2forge.errors import UserError
from gpt2forge.runtime.decoder import Array, Decoder
from gpt2forge.runtime.sampling import Sampler


def generate_tokens(
    decoder: Decoder, prompt: Sequence[int], max_tokens: int, sample: Sampler, ends: Collection[int] = ()
) -> Iterator[int]:
    """Yield up to `max_tokens` tokens that follow `prompt`, each as soon as it is chosen.

    Generation stops before any of the tokens `ends`, which is not yielded. Raises UserError, before anything runs, when
    the prompt is empty, too long or holds a token outside the vocabulary.
    """
    check_prompt(decoder, prompt, max_tokens)
    tokens = np.array([prompt], np.int64)  # (1, S)
    return continue_prompt(decoder, tokens, max_tokens, sample=sample, ends=ends)


def check_prompt(decoder: Decoder, prompt: Sequence[int], max_tokens: int) -> None:
    """Raise UserError unless the model can continue this prompt by `max_tokens` tokens."""
    if not prompt:
        raise UserError("the prompt is empty; give at least one token")
    if not all(0 <= token < decoder.vocabulary for token in prompt):
        raise UserError(
            f"the prompt holds a token outside this model's vocabulary; give tokens from 0 to {decoder.vocabulary - 1}"
        )
    if len(prompt) + max_tokens > decoder.context:
        free = decoder.context - len(prompt)
        fix = f"ask for at most {free} new ones" if free > 0 else "shorten the prompt"
        wanted = f"the prompt's {len(prompt)} tokens and {max_tokens} new ones"
        raise UserError(f"{wanted} exceed this model's context of {decoder.context}; {fix}")


def continue_prompt(
    decoder: Decoder, tokens: Array, max_tokens: int, sample: Sampler, ends: Collection[int]
) -> Iterator[int]:
    """Yield the tokens that follow `tokens` (1, S)."""
    step = decoder.start(tokens.shape[1] + max_tokens)
    for _ in range(max_tokens):
        token = sample(step(tokens)[0])
        if token in ends:
            return
        yield token
        tokens = np.array([[token]], np.int64)
