"""Tests of the storages that the words of a recipe mean."""

import pytest

from gpt2forge.quantize.scheme import Scheme, Storage, choose_granularity, make_scheme


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


def test_exceptions_become_storages() -> None:
    overrides: dict[str, tuple[int, int | str | None]] = {"h.*.mlp.c_proj": (8, 64), "h.[0-1].mlp.c_fc": (8, "channel")}
    scheme = make_scheme("int4", 32, "int4", 16, "float16", overrides, ["h.3.attn.*"])
    assert (scheme.table, scheme.positions) == (Storage(4, 16), Storage(16, None))
    assert scheme.choose("h.11.mlp.c_proj") == Storage(8, 64)
    assert scheme.choose("h.1.mlp.c_fc") == Storage(8, None)
    assert scheme.choose("h.2.mlp.c_fc") == scheme.choose("h.11.mlp.c_fc") == Storage(4, 32)
    assert scheme.choose("h.3.attn.c_attn") is None
    assert scheme.choose("h.13.attn.c_attn") == Storage(4, 32)


@pytest.mark.parametrize(
    ("bits", "scheme", "granularity", "filled"),
    [
        (8, "int8", 64, 64),
        (8, "int8", "channel", "channel"),
        (8, "int4", 64, 128),
        (4, "int4", 64, 64),
        (4, "int8", 64, 32),
        (4, "int8", "channel", 32),
    ],
)
def test_granularity_is_the_schemes_where_it_has_as_many_bits(
    bits: int, scheme: str, granularity: int | str, filled: int | str
) -> None:
    assert choose_granularity(bits, scheme, granularity) == filled
