"""Tests that steps in a cache, in place or growing, compute what one pass does."""

from pathlib import Path

import numpy as np
import pytest

from gpt2forge.graph.passes import PASSES
from gpt2forge.runtime.decoder import open_decoder
from tests.graph.models import Tiny
from tests.quantize.packages import FLOAT32, SCHEMES, pack


@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_equal_one_pass(tiny: Tiny, tmp_path: Path, scheme: str, passes: tuple[str, ...]) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme], passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    tokens = tiny.ids(20)
    step = decoder.start(30)
    for token in tokens:
        last = step(np.array([[token]])).copy()
    whole = decoder.start(20)(tokens[None])
    assert np.abs(last - whole).max() / np.ptp(whole) < (1e-5 if scheme == "float32" else 0.05)


@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
def test_texts_beside_each_other_are_those_alone(tiny: Tiny, tmp_path: Path, passes: tuple[str, ...]) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    texts = np.stack([tiny.ids(9), tiny.ids(9)[::-1]])
    together, alone = decoder.start(9, batch=2), [decoder.start(9) for _ in texts]
    for piece in (texts[:, :4], *(texts[:, place : place + 1] for place in range(4, 9))):
        both = together(piece)
        for row, step in enumerate(alone):
            single = step(piece[row : row + 1])[0]
            assert np.abs(both[row] - single).max() / np.ptp(single) < 1e-5


@pytest.mark.parametrize("passes", [tuple(PASSES), ()])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_tokens_may_be_read_several_at_once_and_forgotten(
    tiny: Tiny, tmp_path: Path, passes: tuple[str, ...], count: int
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder, tokens = open_decoder(tmp_path / "out", threads=1), tiny.ids(20)
    whole = decoder.read(tokens[None])[0]  # (S, V)
    step = decoder.start(20 + count)
    step(tokens[None, :4])
    for place in range(4, 20):
        wrong = np.array([[*tokens[place : place + 1], *tiny.ids(count, seed=place)]])
        logits = step.read_each(wrong)[0, 0].copy()
        step.forget(count)
        assert step.length == place + 1
        assert np.abs(logits - whole[place]).max() / np.ptp(whole) < 1e-5
    assert np.abs(step(tokens[None, :1]) - decoder.read(np.array([[*tokens, tokens[0]]]))[0, -1]).max() < 1e-4


@pytest.mark.parametrize("passes", [tuple(PASSES), ()], ids=["in place", "growing"])
def test_added_tokens_are_read_as_others(tiny: Tiny, tmp_path: Path, passes: tuple[str, ...]) -> None:
    """One text and several, with padding, and again after a run of several tokens."""
    pack(tiny, tmp_path / "out", FLOAT32, passes)
    decoder = open_decoder(tmp_path / "out", threads=1)
    for prompts in ([[5, 17, 80]], [[5, 17, 80], [9]]):
        added, called = decoder.start(20, len(prompts)), decoder.start(20, len(prompts))
        for step in (added, called):
            step.read_prompts(prompts)
        for tokens in ([7, 8], [3, 1]):
            tokens = tokens[: len(prompts)]
            assert (added.add(tokens) == called(np.array(tokens)[:, None])).all()
        if len(prompts) == 1:
            assert (added(np.array([[4, 6]])) == called(np.array([[4, 6]]))).all()
            assert (added.add([2]) == called(np.array([[2]]))).all()
        assert added.length == called.length
