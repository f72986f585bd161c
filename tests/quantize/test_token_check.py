"""A token outside the vocabulary is an error in every scheme, in a prompt and in a step."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_package
from tests.graph.models import Shape, Tiny, make_tiny
from tests.quantize.packages import SCHEMES, pack

VOCABULARY = Shape().vocabulary
OUTSIDE = (VOCABULARY, VOCABULARY + 1, 2 * VOCABULARY, 50256, 2**31, 2**62, -1, -100, -VOCABULARY, -VOCABULARY - 1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape())


@pytest.mark.parametrize("name", SCHEMES)
def test_token_outside_the_vocabulary_is_an_error(tiny: Tiny, tmp_path: Path, name: str) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[name])
    session = open_package(tmp_path / "out", threads=1)
    empty = read_cache_shape(session).empty(1)
    run(session, make_feeds(np.array([[0, VOCABULARY - 1]]), empty))
    for token in OUTSIDE:
        for ids in ([token], [0, token, 1]):
            with pytest.raises(Exception, match=r"input_ids.in_vocabulary.*out of data bounds"):
                run(session, make_feeds(np.array([ids]), empty))
