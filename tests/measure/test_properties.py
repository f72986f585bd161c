"""The four properties hold for a sound package; a broken one is detected with its shortest prompt."""

import numpy as np
import pytest

from gpt2forge.errors import UserError
from gpt2forge.measure.properties import PROPERTIES, collect, differ, try_properties
from gpt2forge.runtime.decoder import Decoder, open_decoder
from gpt2forge.runtime.likelihood import Array
from gpt2forge.runtime.step import Step
from tests.workshop import Workshop

PROMPTS = [list(range(40, 52)), list(range(300, 308))]


@pytest.fixture(scope="module")
def decoder(workshop: Workshop) -> Decoder:
    return open_decoder(workshop.build("nano-cpu-fp32"), threads=1)


def test_all_four_hold_of_a_float32_package(decoder: Decoder) -> None:
    seen: list[tuple[int, int, str]] = []
    found = try_properties(decoder, PROMPTS, lambda *far: seen.append(far))
    assert list(found) == list(PROPERTIES)
    for each in found.values():
        assert each is not None
        assert each.worst < 1e-5
    assert seen[-1] == (80, 80, "tokens")


class Broken(Decoder):
    """A real package whose logits are shifted if more than six tokens are read at once."""

    def read(self, tokens: Array, attention_mask: Array | None = None) -> Array:
        logits = super().read(tokens, attention_mask)
        return logits + (np.ptp(logits) if tokens.shape[1] > 6 else 0)


class Forgetful(Decoder):
    """A real package whose shared cache is one token off after the third."""

    def start(self, capacity: int, batch: int = 1) -> Step:
        step, seen = super().start(capacity, batch), iter(range(capacity))

        def stumble(tokens: Array) -> Array:
            return step(tokens) + (1 if next(seen) > 2 else 0)

        return stumble


def test_broken_pass_is_found_with_the_shortest_prompt_that_shows_it(decoder: Decoder) -> None:
    found = try_properties(Broken(**vars(decoder)), PROMPTS, lambda *far: None)["steps_equal_pass"]
    assert found is not None
    assert found.worst == pytest.approx(1, abs=1e-3)
    shortest = next(tokens for value, tokens in found.growth if value > 0.5)
    assert list(shortest) in [prompt[:7] for prompt in PROMPTS]


def test_broken_cache_is_found(decoder: Decoder) -> None:
    found = try_properties(Forgetful(**vars(decoder)), PROMPTS, lambda *far: None)["shared_equals_copied"]
    assert found is not None
    assert next(len(tokens) for value, tokens in found.growth if value > 1e-3) == 4


def test_graph_that_cannot_share_its_cache_has_no_such_property(workshop: Workshop) -> None:
    workshop.report("nano-cpu-fp32", "--set", "fusion.attention=false", "--name", "plain")
    plain = open_decoder(workshop.folder / "build/plain", threads=1)
    assert try_properties(plain, [[1, 2]], lambda *far: None)["shared_equals_copied"] is None


def test_growth_holds_the_shortest_prompt_of_any_tolerance() -> None:
    found = collect([(1, 0.1, [1]), (2, 0.05, [1, 2]), (3, 0.4, [1, 2, 3]), (1, 0.2, [9]), (2, 0.3, [9, 8])])
    assert found.worst == 0.4
    assert found.growth == [(0.2, [9]), (0.3, [9, 8]), (0.4, [1, 2, 3])]


def test_logits_that_are_not_numbers_are_refused(decoder: Decoder) -> None:
    class Lost(Decoder):
        """A real package whose logits are NaN in a batch."""

        def read(self, tokens: Array, attention_mask: Array | None = None) -> Array:
            return super().read(tokens, attention_mask) * (np.nan if len(tokens) > 1 else 1)

    with pytest.raises(UserError, match="the logits are not all finite numbers, so nothing can be measured"):
        try_properties(Lost(**vars(decoder)), PROMPTS, lambda *far: None)


def test_rows_without_spread_differ_if_they_differ() -> None:
    assert differ(np.zeros(3), np.zeros(3)) == 0
    assert differ(np.ones(3), np.zeros(3)) == 1
    assert differ(np.array([0.0, 1.0]), np.zeros(2)) == 1
