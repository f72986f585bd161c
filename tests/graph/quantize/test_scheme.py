"""What the words of a recipe mean."""

import pytest

from gpt2forge.graph.quantize.scheme import Scheme, Storage, make_scheme


@pytest.mark.parametrize(
    ("words", "scheme"),
    [
        (("none", None, "none"), Scheme(None, None)),
        (("none", None, "int8"), Scheme(None, Storage(8, 128))),
        (("int8", 64, "int8"), Scheme(Storage(8, 64), Storage(8, 64))),
        (("int8", 64, "int4"), Scheme(Storage(8, 64), Storage(4, 32))),
        (("int8", "channel", "int8"), Scheme(Storage(8, None), Storage(8, 128))),
        (("int4", 32, "int8"), Scheme(Storage(4, 32), Storage(8, 128))),
        (("int4", 64, "int4"), Scheme(Storage(4, 64), Storage(4, 64))),
        (("int4", 32, "none"), Scheme(Storage(4, 32), None)),
    ],
)
def test_words_become_bits_and_blocks(words: tuple[str, int | str | None, str], scheme: Scheme) -> None:
    assert make_scheme(*words) == scheme
