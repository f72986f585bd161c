"""Tests of the inputs that are fed beside the tokens."""

import numpy as np

from gpt2forge.runtime.feeds import CacheShape, make_feeds, read_cache_shape
from tests.graph.models import Tiny


def test_cache_shape_is_read_from_the_session(tiny: Tiny) -> None:
    assert read_cache_shape(tiny.open()) == CacheShape(layers=2, heads=3, width=8)


def test_empty_cache_has_no_positions() -> None:
    cache = CacheShape(layers=1, heads=3, width=8).empty(batch=2)
    assert {name: array.shape for name, array in cache.items()} == {
        "past_key_values.0.key": (2, 3, 0, 8),
        "past_key_values.0.value": (2, 3, 0, 8),
    }


def test_positions_count_the_tokens_that_the_mask_keeps() -> None:
    past = CacheShape(layers=1, heads=3, width=8).empty(batch=2)
    feeds = make_feeds(np.zeros((2, 3)), past, np.array([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]))
    assert feeds["position_ids"].tolist() == [[0, 1, 2], [2, 3, 4]]


def test_mask_covers_past_and_new_by_default() -> None:
    past = {"past_key_values.0.key": np.zeros((1, 3, 4, 8), np.float32)}
    assert make_feeds(np.zeros((1, 2)), past)["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 1]]
    assert make_feeds(np.zeros((1, 2)), past)["position_ids"].tolist() == [[4, 5]]
