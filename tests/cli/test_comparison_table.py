"""The table of a comparison: 100 columns, what differs, what dominates what, and the recommendation."""

from typing import Any

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.report import Report
from gpt2forge.cli.comparison_table import WIDTH, format_markdown, format_table
from tests.reports import make_report


def make_result(name: str, size: int, token: float, kl: float, **quantization: object) -> Report:
    return make_report(
        recipe=name,
        values={"name": name, "quantization": quantization, "verify": {"max_kl": 0.025}},
        bytes={"package": size, "float32": 5_401_600},
        benchmark__token_ms=token,
        benchmark__spread__token_ms=[token * 0.9, token * 1.1],
        verify__kl_mean=kl,
        verify__intervals__kl_mean=[kl * 0.9, kl * 1.1],
    )


FINE = make_result("fp32", 5_401_600, 3.0, 1e-9, scheme="none")
MIDDLE = make_result("int8", 1_800_000, 1.0, 0.01, scheme="int8", granularity=128)
WORSE = make_result("int8-old", 1_900_000, 1.5, 0.02, scheme="int8", granularity=64)
FAR = make_result("int4", 1_000_000, 0.9, 0.03, scheme="int4", granularity=32)


def test_each_result_has_a_row_and_a_note() -> None:
    assert format_table(Comparison([FINE, MIDDLE, WORSE, FAR])).splitlines() == [
        "result    size           speed-up      perplexity  KL        verdict",
        "fp32      5.4 MB, 100 %  1.7x, 333/s   55.60       1.00e-09  within its limits",
        "    baseline",
        "int8      1.8 MB, 33 %   5.0x, 1000/s  55.60       1.00e-02  within its limits",
        "    scheme int8, granularity 128",
        "int8-old  1.9 MB, 35 %   3.3x, 667/s   55.60       2.00e-02  within its limits",
        "    scheme int8, granularity 64; dominated by int8",
        "int4      1.0 MB, 19 %   5.6x, 1111/s  55.60       3.00e-02  beyond its limits",
        "    scheme int4, granularity 32; KL 0.005 above `max_kl: 0.025`",
        "",
        "smallest and fastest within your limits: int8",
    ]


def test_no_line_is_wider_than_the_page() -> None:
    names = ["a" * 30, "b" * 20, "774m-cpu@int4-32-gptq-smooth-embeddings-int8-positions-float16"]
    values = {f"key{number}": "v" * 90 for number in range(9)}
    results = [FINE, *(make_result(name, 5_000_000, 1e-3, 123.0, **values) for name in names)]
    far = make_report(recipe="far", error="x.yaml:1:1: " + "too far " * 40, output=None)
    lines = format_table(Comparison([*results, far])).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert names[0] in lines and names[2] in lines  # whole, each on a line of its own
    assert any(line.startswith("b" * 20 + "  ") for line in lines)


def test_only_some_differences_are_named_and_the_rest_counted() -> None:
    values = {f"key{number}": number for number in range(7)}
    table = format_table(Comparison([FINE, make_result("x", 1, 1, 1, **values)]))
    assert "    scheme null, key0 0, key1 1, key2 2, 4 more" in table


def test_keys_of_the_same_last_part_are_whole() -> None:
    values: list[dict[str, Any]] = [
        {"name": "a", "verify": {"tokens": tokens}, "calibration": {"tokens": tokens + 1}} for tokens in (1, 2)
    ]
    table = format_table(Comparison([make_report(values=each) for each in values]))
    assert "    verify.tokens 2, calibration.tokens 3" in table


def test_names_from_reports_reach_the_terminal_escaped() -> None:
    evil = make_result("x\x1b[2J\ny", 1, 1.0, 1.0, scheme="\x1b]0;t\x07")
    table = format_table(Comparison([FINE, evil]))
    assert "\x1b" not in table and "\x07" not in table
    assert "x\\x1b[2J\\ny" in table


def test_markdown_is_one_table_and_escapes_what_it_would_obey() -> None:
    evil = make_result("a|b<img src=x>[c](d)", 1, 1.0, 0.03, scheme="none")
    lines = format_markdown(Comparison([FINE, evil])).splitlines()
    assert lines[:3] == [
        "| result | size | speed-up | perplexity | KL | verdict |  |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| fp32 | 5.4 MB, 100 % | 1.7x, 333/s | 55.60 | 1.00e-09 | within its limits | baseline |",
    ]
    assert lines[3].startswith("| a\\|b&lt;img src=x>\\[c](d) | 1 B, 0.0 % | 5.0x, 1000/s | ")
    assert lines[4:] == ["", "smallest and fastest within your limits: fp32"]
