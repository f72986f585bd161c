"""The verdict on a report: its numbers against the limits of its recipe."""

import pytest

from gpt2forge.builder.report import Report
from gpt2forge.builder.verdict import find_verdict, shorten_error
from tests.reports import make_report

LIMITS = {"max_perplexity_increase": 0.02, "max_kl": 0.02, "min_top1_agreement": None}


def judge(**changes: object) -> tuple[str, str]:
    found = find_verdict(make_report(**{"values__verify": LIMITS, **changes}))
    return found.words, found.detail


def test_result_within_its_limits_has_each_number_beside_its_limit() -> None:
    detail = "perplexity increase 1.1 % (at most 2 %), KL 0.0154 (at most 0.02)"
    assert judge() == ("within its limits", detail)


def test_result_beyond_its_limits_says_which_and_by_how_much() -> None:
    found = judge(values__verify={"max_perplexity_increase": 0.01, "max_kl": 0.02, "min_top1_agreement": 0.95})
    assert found == (
        "beyond its limits",
        "perplexity increase 0.1 % above `max_perplexity_increase: 1%`, "
        "same token 4.5 % below `min_top1_agreement: 95%`",
    )


def test_number_that_equals_its_limit_is_within() -> None:
    assert judge(values__verify={"max_kl": 0.0154})[0] == "within its limits"


@pytest.mark.parametrize("limits", [{}, {"max_kl": None}, {"max_kl": "much"}])
def test_recipe_without_limits_has_none_to_keep(limits: dict[str, object]) -> None:
    assert judge(values__verify=limits) == ("has no limits", "")


def test_failed_build_has_its_fault() -> None:
    error = (
        "x.yaml:6:16: `steps_equal_pass` is 0.002 of the logits' spread, above its tolerance 0.001; not published; ..."
    )
    fault = "`steps_equal_pass` is 0.002 of the logits' spread, above its tolerance 0.001"
    assert judge(error=error, output=None) == ("not built", fault)


def test_result_that_was_not_measured_says_so() -> None:
    bare: Report = make_report(verify=None, text=None)
    assert str(find_verdict(bare)) == "not measured: skipped"
    assert find_verdict(bare).is_usable


@pytest.mark.parametrize(
    ("error", "short"),
    [
        ("recipes/x.yaml:3:3: unknown key; did you mean", "unknown key"),
        ("--set verify.max_kl=0: `kl_mean` is 1", "`kl_mean` is 1"),
        ("interrupted", "interrupted"),
        ("the disk: is full\nand more", "the disk: is full"),
    ],
)
def test_error_is_shortened_to_its_fault(error: str, short: str) -> None:
    assert shorten_error(error) == short
