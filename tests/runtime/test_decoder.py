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
