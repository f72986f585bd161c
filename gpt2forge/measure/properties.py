"""Checks four properties that every package must have, on prompts of every length from 1 token up.

steps_equal_pass      reading a prompt at once gives the same logits as reading it token by token
shared_equals_copied  a cache that is extended in place gives the same logits as one whose output is fed back
padded_equals_alone   each row of a left-padded batch gives the same logits as the row alone
batch_equals_single   each row of a batch of equal lengths gives the same logits as the row alone

A difference is the largest difference of any logit, divided by the spread of the logits (largest minus smallest).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpt2forge.measure.divergence import check_finite
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.feeds import read_cache_shape
from gpt2forge.runtime.growing_step import GrowingStep
from gpt2forge.runtime.likelihood import Array
from gpt2forge.runtime.step import Step

Check = Callable[[Decoder, Array], Iterator[float]]
"""A function that takes a prompt (S,) and yields the difference at each length from 1 to S, one by one for progress."""


@dataclass(frozen=True)
class PropertyResult:
    """The worst difference of a property over all prompts.

    `growth` lists (difference, prompt) whenever a difference exceeds those of all shorter prompts. It thus contains
    the shortest prompt that breaks any tolerance.
    """

    worst: float
    growth: Sequence[tuple[float, Sequence[int]]]

    def list_prompts(self) -> list[dict[str, Any]]:
        """Return the growth as JSON values."""
        return [{"difference": value, "tokens": list(tokens)} for value, tokens in self.growth]


def try_properties(
    decoder: Decoder, prompts: Sequence[Sequence[int]], advance: Callable[[int, int, str], None]
) -> dict[str, PropertyResult | None]:
    """Try every property on every prompt. The result is None for `shared_equals_copied` if the graph cannot share."""
    found: dict[str, PropertyResult | None] = {}
    done, total = 0, len(PROPERTIES) * sum(len(prompt) for prompt in prompts)
    for name, check in PROPERTIES.items():
        if name == "shared_equals_copied" and not decoder.in_place:
            found[name] = None
            continue
        differences = []
        for prompt in prompts:
            for length, value in enumerate(check(decoder, np.array(prompt, np.int64)), 1):
                differences.append((length, value, prompt[:length]))
                done += 1
                advance(done, total, "tokens")
        found[name] = collect(differences)
    return found


def collect(differences: Sequence[tuple[int, float, Sequence[int]]]) -> PropertyResult:
    """Collect the growth from (length, difference, prompt), shortest prompts first."""
    worst, growth = 0.0, []
    for _, value, tokens in sorted(differences, key=lambda each: (each[0], -each[1])):
        if value > worst:
            worst = value
            growth.append((value, tokens))
    return PropertyResult(worst, growth)


def check_steps(decoder: Decoder, prompt: Array) -> Iterator[float]:
    step = start_copied(decoder)
    single: list[Array] = []
    for length in range(1, len(prompt) + 1):
        single.append(step(prompt[None, length - 1 : length])[0].copy())  # (V,)
        yield differ(decoder.read(prompt[None, :length])[0], np.stack(single))


def check_sharing(decoder: Decoder, prompt: Array) -> Iterator[float]:
    shared, copied = decoder.start(len(prompt)), start_copied(decoder)
    for token in prompt:
        yield differ(shared(token[None, None]), copied(token[None, None]))


def check_padding(decoder: Decoder, prompt: Array) -> Iterator[float]:
    for length in range(1, len(prompt) + 1):
        rows = [prompt[:length], prompt[: (length + 1) // 2]]
        mask = np.zeros((2, length), np.int64)
        batch = np.zeros((2, length), np.int64)
        for row, tokens in enumerate(rows):
            batch[row, length - len(tokens) :], mask[row, length - len(tokens) :] = tokens, 1
        together = decoder.read(batch, mask)  # (2, S, V)
        yield max(
            differ(together[row, length - len(tokens) :], decoder.read(tokens[None])[0])
            for row, tokens in enumerate(rows)
        )


def check_batch(decoder: Decoder, prompt: Array) -> Iterator[float]:
    for length in range(1, len(prompt) + 1):
        rows = np.stack([prompt[:length], prompt[:length][::-1]])  # (2, S)
        together = decoder.read(rows)  # (2, S, V)
        yield max(differ(together[row], decoder.read(rows[row : row + 1])[0]) for row in range(2))


PROPERTIES: Mapping[str, Check] = {
    "steps_equal_pass": check_steps,
    "shared_equals_copied": check_sharing,
    "padded_equals_alone": check_padding,
    "batch_equals_single": check_batch,
}


def start_copied(decoder: Decoder) -> Step:
    return GrowingStep(decoder.session, read_cache_shape(decoder.session))


def differ(one: Array, other: Array) -> float:
    """Return the largest difference divided by the larger spread. Raises UserError if a value is not finite."""
    check_finite(one)
    check_finite(other)
    spread = max(float(np.ptp(one)), float(np.ptp(other)))
    largest = float(np.abs(one - other).max())
    return largest / spread if spread else float(largest > 0)
