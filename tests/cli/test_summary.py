"""The numbers of a report in words."""

import pytest

from gpt2forge.cli.summary import (
    describe_numbers,
    describe_result,
    describe_size,
    format_brief_size,
    format_rate,
    format_ratio,
    format_share,
    make_row,
    tabulate_reports,
)
from tests.reports import make_report

SKIPPED = {"verify": None, "text": None, "benchmark": None}


def test_verdict_speed_and_size_come_first_and_the_numbers_below() -> None:
    made = make_report(values__verify={"max_kl": 0.02, "min_top1_agreement": 0.9})
    lines = describe_result(made).splitlines()
    assert lines[:5] == [
        "build/nano",
        "quality     within its limits: KL 0.0154 (at most 0.02), same token 90.5 % (at least 90 %)",
        "speed       2.5x as fast as PyTorch, 500 tokens/s",
        "size        1.4 MB, 26 % of float32",
        "",
    ]
    assert lines[5].startswith("perplexity  55.60, PyTorch float32 55.00: ")


def test_result_that_was_not_measured_says_why() -> None:
    skipped = make_report(**SKIPPED)
    assert describe_result(skipped) == (
        "build/nano\nquality  not measured: skipped\nspeed    not measured: skipped\nsize     1.4 MB, 26 % of float32\n"
    )
    bare = make_report(**SKIPPED, values={"name": "nano", "verify": None, "benchmark": None})
    assert describe_result(bare).splitlines()[1:3] == [
        "quality  not measured: the recipe has no `verify` section",
        "speed    not measured: the recipe has no `benchmark` section",
    ]


def test_each_number_has_its_row_and_all_noise_has_one() -> None:
    assert list(describe_numbers(make_report(benchmark__noise=["a dog barked", "it rained"]))) == [
        ("perplexity", "55.60, PyTorch float32 55.00: +1.100% [+0.550%, +2.200%]"),
        ("divergence", "KL 1.54e-02 [7.70e-03, 3.08e-02], 99 % below 7.28e-02"),
        ("same token", "90.50% [45.25%, 181.00%] of 2040 positions, windows of 256"),
        (
            "properties",
            "batch_equals_single 0.0e+00, padded_equals_alone 1.0e-03, shared_equals_copied -, steps_equal_pass 2.0e-03",
        ),
        ("new token", "2.00 ms [1.80..2.20], 40.0% of PyTorch float32 (5.00 ms)"),
        ("prompt", "4.00 ms [3.60..4.40], 50.0% of PyTorch float32 (8.00 ms)"),
        ("limit", "0.10 ms a token at 12 GB/s: 5% reached"),
        ("memory", "20.0 MB anonymous, 2.0 MB mapped; loads in 0.05 s"),
        ("noise", "a dog barked; it rained: measure again with `--rerun benchmark`"),
    ]


def test_single_window_has_no_intervals() -> None:
    made = make_report(verify__intervals=None, benchmark=None)
    assert dict(describe_numbers(made))["divergence"] == "KL 1.54e-02, 99 % below 7.28e-02"


def test_size_has_its_share_of_float32() -> None:
    size = make_report().bytes
    assert size is not None
    assert describe_size(size) == "1.4 MB, 26 % of float32"
    assert [format_brief_size(count) for count in (12, 99_960, 99_940_000, 807_400_000)] == [
        *("12 B", "100 kB", "99.9 MB", "807 MB"),
    ]


def test_several_recipes_are_a_table_with_a_verdict_each() -> None:
    beyond = make_report(recipe="far", values__verify={"max_kl": 0.01}, output=None, error="x.yaml:1:1: too far")
    lines = tabulate_reports([make_report(), beyond, make_report(recipe="bare", **SKIPPED)], ["lost"]).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["recipe", "nano", "far", "bare", "lost"]
    assert lines[0].split() == [
        "recipe",
        "verdict",
        "size",
        "of",
        "float32",
        "as",
        "fast",
        "as",
        "PyTorch",
        "tokens/s",
        "perplexity",
        "KL",
    ]
    assert " ".join(lines[1].split()) == "nano has no limits 1.4 MB 26 % 2.5x 500 55.60 1.54e-02"
    assert "beyond its limits" in lines[2]
    assert " ".join(lines[3].split()) == "bare not measured 1.4 MB 26 % - - - -"
    assert " ".join(lines[4].split()) == "lost not built - - - - - -"


def test_token_that_took_no_measurable_time_is_no_error() -> None:
    assert make_row(make_report(benchmark__token_ms=0.0))[4:6] == ("infx", "inf")


@pytest.mark.parametrize(
    ("value", "share", "ratio", "rate"),
    [
        (0.0532, "5.3 %", "0.05x", "0.1"),
        (0.26, "26 %", "0.26x", "0.3"),
        (9.41, "941 %", "9.4x", "9.4"),
        (45.4, "4540 %", "45x", "45"),
    ],
)
def test_numbers_have_the_digits_that_matter(value: float, share: str, ratio: str, rate: str) -> None:
    assert (format_share(value), format_ratio(value), format_rate(value)) == (share, ratio, rate)
