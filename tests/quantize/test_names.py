"""Tests of the layers that a pattern matches, and of conflicts between patterns."""

import time

import pytest

from gpt2forge.quantize.linear import LINEAR
from gpt2forge.quantize.scheme import can_match, find_conflict, find_unmatched, list_linears


def test_linear_layers_are_those_whose_weights_are_quantized() -> None:
    names = list(list_linears([0, 12]))
    assert len(names) == 8
    assert all(LINEAR.fullmatch(f"{name}.weight") for name in names)


@pytest.mark.parametrize(
    "pattern", ["h.*.mlp.c_proj", "h.0.*", "h.[0-3].attn.c_attn", "h.47.mlp.c_fc", "*", "h.??.*c_*"]
)
def test_pattern_of_some_model_can_match(pattern: str) -> None:
    assert can_match(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["", "h.*.mlp.cproj", "h.*.mlp.c_proj.weight", "mlp.c_proj", "H.0.*", "h.*.ln_1", "wte", "h.x.*", "h.*.mlp.C_FC"],
)
def test_pattern_of_no_model_cannot(pattern: str) -> None:
    assert not can_match(pattern)


def test_conflict_is_between_overrides_or_with_what_is_skipped() -> None:
    names = list(list_linears(range(4)))
    assert find_conflict(names, ["h.*.mlp.c_proj", "h.*.mlp.c_fc"], ["h.*.attn.*"]) is None
    assert find_conflict(names, [], ["h.0.*", "h.*"]) is None
    assert find_conflict(names, ["h.[2-9].*", "h.3.mlp.c_fc"], []) == (
        "two patterns match `h.3.mlp.c_fc`, `h.[2-9].*` and `h.3.mlp.c_fc`; let one decide"
    )
    assert find_conflict(names, ["h.1.*"], ["h.1.*"]) == (
        "two patterns match `h.1.attn.c_attn`, `h.1.*` and `h.1.*`; let one decide"
    )


def test_unmatched_pattern_is_found() -> None:
    names = list(list_linears(range(4)))
    assert find_unmatched(names, ["h.3.*", "h.4.*", "h.5.*"]) == "h.4.*"
    assert find_unmatched(names, ["h.3.*"]) is None


def test_a_thousand_patterns_are_compared_in_a_second() -> None:
    """Names times patterns, not patterns times patterns."""
    names, patterns = list(list_linears(range(48))), [f"h.{number}.none" for number in range(1000)]
    began = time.process_time()
    assert not any(can_match(pattern) for pattern in patterns)
    assert find_conflict(names, patterns, patterns) is None
    assert time.process_time() - began < 4
