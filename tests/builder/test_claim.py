"""The promise of the article, tested on reports."""

import pytest

from gpt2forge.builder.claim import MOST_KL, Promise, assess_claim
from gpt2forge.errors import UserError
from tests.reports import make_report

GOOD = {
    "bytes__package": 1_300_000,
    "verify__perplexity_increase": 0.001,
    "verify__intervals__perplexity_increase": [-0.001, 0.003],
    "verify__kl_mean": 0.0015,
    "verify__intervals__kl_mean": [0.0014, 0.0016],
    "benchmark__rounds": 5,
    "benchmark__prefill_ms": 3.0,
    "benchmark__token_ms": 1.0,
    "benchmark__spread__prefill_ms": [2.9, 3.1],
    "benchmark__spread__token_ms": [0.9, 1.2],
}


def assess(**changes: object) -> dict[str, Promise]:
    return {promise.name: promise for promise in assess_claim(make_report(**{**GOOD, **changes}))}


def test_a_good_result_keeps_all_promises() -> None:
    assert [promise.passes for promise in assess().values()] == [True, True, True]


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"bytes__package": 1_360_000}, "size"),
        ({"benchmark__spread__token_ms": [0.9, 2.4]}, "wait"),  # 2.4 / 4.5: one slow round leaves room for doubt
        ({"benchmark__rounds": 4}, "wait"),
        ({"verify__intervals__perplexity_increase": [-0.001, 0.011]}, "accuracy"),
        ({"verify__intervals__kl_mean": [0.004, 1.1 * MOST_KL]}, "accuracy"),
        ({"verify__intervals": None}, "accuracy"),
    ],
)
def test_a_number_whose_interval_reaches_beyond_its_limit_does_not_pass(
    changes: dict[str, object], broken: str
) -> None:
    assert {name for name, promise in assess(**changes).items() if not promise.passes} == {broken}


def test_interval_of_a_ratio_divides_the_ends_of_the_ranges() -> None:
    prompt, token = assess()["wait"].numbers
    assert prompt.interval == pytest.approx((2.9 / 8.8, 3.1 / 7.2))
    assert token.value == pytest.approx(1 / 5)
    assert token.confidence == 0.875


def test_size_is_exact() -> None:
    (size,) = assess()["size"].numbers
    assert size.interval == (size.value, size.value)
    assert size.confidence == 1


def test_a_report_without_a_measurement_is_one_line() -> None:
    report = make_report().leave_out(["benchmark"])
    with pytest.raises(UserError, match=r"nano: `speed` was not measured; add `verify` and `benchmark`"):
        assess_claim(report)
