"""Conditions on numbers of results: what they mean, and that nothing else is evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.builder.condition import GRAMMAR, LONGEST, Numbers, parse_condition
from gpt2forge.builder.numbers import NUMBERS
from gpt2forge.errors import UserError
from tests.reports import make_report
from tests.workshop import ROOT

BASELINE = make_report()
WORSE = make_report(verify__perplexity=56.5, verify__kl_mean=0.02, benchmark__token_ms=2.5)


def check(text: str) -> bool:
    return parse_condition(text).holds(Numbers(WORSE, BASELINE))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("perplexity > baseline * 1.01", True),
        ("perplexity > baseline * 1.02", False),
        ("perplexity > baseline.perplexity * 1.01", True),
        ("1.01 * baseline < perplexity", True),
        ("kl > 0.01 and speedup < baseline", True),
        ("kl > 0.03 or speedup < 1", False),
        ("kl > 0.03 or (kl > 0.01 and size_share < 0.5)", True),
        ("0.01 < kl_mean <= 0.02", True),
        ("size != baseline", False),
        ("token_ms - baseline.token_ms >= 0.5", True),
        ("-kl < -0.01", True),
        ("size > 2e6 - 1000 / 2 + 1", False),
        ("baseline.kl + kl == 0.0354", True),
        ("tokens_per_second < 450", True),
    ],
)
def test_condition_means_what_it_says(text: str, expected: bool) -> None:
    assert check(text) is expected


def refuse(text: str) -> str:
    with pytest.raises(UserError) as error:
        parse_condition(text)
    (line,) = str(error.value).splitlines()
    return line


def test_unknown_number_is_told_with_the_nearest() -> None:
    assert refuse("perplexty > 3") == "`perplexty > 3`: unknown number `perplexty`; did you mean `perplexity`?"
    assert refuse("kl > baseline.perplexty").endswith("unknown number `perplexty`; did you mean `perplexity`?")
    assert refuse("x > 3").endswith(f"unknown number `x`; there are {', '.join(f'`{name}`' for name in NUMBERS)}")


@pytest.mark.parametrize("text", ["kl + perplexity > baseline", "baseline > 3"])
def test_baseline_of_no_single_number_is_refused(text: str) -> None:
    assert refuse(text).endswith(
        "`baseline` is the number of the one name beside it; write `baseline.perplexity` instead"
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "kl",
            "kl >",
            "3",
            "kl = 3",
            "not kl > 3",
            "kl > 'x'",
            "kl > True",
            "kl > 1j",
            "kl ** 2 > 3",
            "kl % 2 > 3",
        ),
        *("__import__('os').system('true') > 0", "kl > (lambda: 3)()", "kl.real > 3", "kl > [1][0]", "kl is 3"),
        *(
            "kl in 3",
            "(kl > 3) + 1 > 0",
            "kl > 3 if kl else 2",
            "kl > ~3",
            "kl > f'{kl}'",
            "(x := kl) > 3",
            "kl > 3; kl",
        ),
        *("\0 > 3", "kl\n> 3\nkl", "baseline.kl.real > 3", "kl > {1: 2}[1]"),
    ],
)
def test_other_python_is_no_condition(text: str) -> None:
    assert GRAMMAR in refuse(text)


def test_deep_and_long_conditions_are_computed_or_refused() -> None:
    assert not check("-" * (LONGEST - 5) + "kl >1")
    assert not check("kl > " + "9" * (LONGEST - 5))
    assert refuse("kl > 1" + " " * LONGEST) == f"a condition has {LONGEST + 6} characters; write at most {LONGEST}"


@given(st.text(alphabet="kl baseline.><=!+-*/()0123456789andor_x'[]{}:,\\", max_size=40))
def test_any_text_is_a_condition_or_one_line(text: str) -> None:
    try:
        parse_condition(text).holds(Numbers(WORSE, BASELINE))
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_number_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(UserError, match=r"^`kl` was not measured$"):
        parse_condition("kl > 1").holds(Numbers(WORSE.leave_out(["verify"]), BASELINE))
    with pytest.raises(UserError, match=r"^`kl` of the baseline was not measured$"):
        parse_condition("kl > baseline").holds(Numbers(WORSE, BASELINE.leave_out(["verify"])))


def test_division_by_zero_is_an_error_with_the_numbers() -> None:
    with pytest.raises(UserError, match=r"^divides by zero: kl 0\.02$"):
        parse_condition("1 / (kl - 0.02) > 1").holds(Numbers(WORSE, BASELINE))


def test_numbers_that_were_read_are_kept_for_the_message() -> None:
    numbers = Numbers(WORSE, BASELINE)
    assert parse_condition("perplexity > baseline * 1.01").holds(numbers)
    assert str(numbers) == "perplexity 56.5, baseline.perplexity 55.6"


def test_every_name_is_on_the_page_of_commands() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    section = page.partition("\n## gpt2forge compare")[2].partition("\n## ")[0]
    assert [name for name in NUMBERS if f"`{name}`" not in section] == []
