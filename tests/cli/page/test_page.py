"""The page of a comparison: its numbers are the reports', every text is escaped, and it needs nothing else."""

from functools import reduce
from typing import Any

import pytest

from gpt2forge.builder.answers import Answer
from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.operator_times import PhaseTimes
from gpt2forge.builder.report import Report
from gpt2forge.cli.page.page import PageData, make_page
from tests.cli.page.pages import RESULTS, PageReader, list_tensors, make_data, make_result

PAGE = make_page(make_data())
EVIL = "<script>alert(1)</script><img src=http://x onerror=1>\"'&\x1b[2J\u202e"


def read_place(report: Report, place: str) -> Any:
    """Return the value at a place of a report, such as `verify.kl_mean`."""
    return reduce(lambda value, key: value and value[key], place.split("."), report.to_json())


def test_numbers_are_those_of_the_reports_to_the_last_digit() -> None:
    numbers = PageReader(PAGE).read_numbers()
    places = [place for place in numbers if "." in place]
    assert {"bytes.package", "verify.perplexity", "verify.kl_mean", "benchmark.token_ms"} <= set(places)
    for place in places:
        assert numbers[place] == [read_place(report, place) for report in RESULTS]
    speeds = [report.benchmark for report in RESULTS if report.benchmark]
    assert numbers["speedup"] == [speed.token_ms_reference / speed.token_ms for speed in speeds]
    assert numbers["tokens_per_second"] == [1000 / speed.token_ms for speed in speeds]


def test_shown_numbers_are_the_whole_ones_rounded_with_their_intervals() -> None:
    page = PageReader(PAGE)
    assert {"1.01e-02", "1.00 ms", "5.0x", "1000"} <= set(page.find_texts("td"))
    assert {" [9.09e-03, 1.11e-02]", " [0.90 ms, 1.10 ms]"} <= set(page.find_texts("span"))


def test_what_was_not_measured_is_a_dash_and_no_number() -> None:
    bare = RESULTS[1].leave_out(["verify", "benchmark"])
    numbers = PageReader(make_page(make_data([RESULTS[0], bare]))).read_numbers()
    assert numbers["verify.kl_mean"] == [1.23456789e-9, None]


def test_page_loads_and_runs_nothing() -> None:
    page = PageReader(PAGE)
    assert not page.find("script") and not page.find("link") and not page.find("img")
    addresses = [
        value for _, each in page.elements for name, value in each.items() if name in ("src", "href", "action")
    ]
    assert addresses == ["#results"]
    assert not [name for _, each in page.elements for name in each if name.startswith("on")]
    (policy,) = (each["content"] for each in page.find("meta") if each.get("http-equiv"))
    assert policy and policy.startswith("default-src 'none'; ")
    assert "url(" not in PAGE and "@import" not in PAGE


def test_every_text_is_escaped() -> None:
    values = {"name": EVIL, EVIL: {EVIL: EVIL}, "verify": {"max_kl": 0.01}}
    evil = make_result(EVIL, 10, 1.0, 0.5, values=values, error=EVIL, benchmark__host__processor=EVIL)
    noisy = make_result("noisy", 10, 1.0, 0.5, benchmark__noise=[EVIL], verify__host__system=EVIL)
    data = PageData(
        Comparison([evil, noisy]),
        tensors={EVIL: [*list_tensors(0.1), {"name": f"h.1.{EVIL}.weight", "error": 0.1}]},
        times={EVIL: [PhaseTimes(EVIL, 1.0, {EVIL: 0.5})]},
        prompts=[EVIL],
        answers={EVIL: [Answer((1,), (EVIL,))], "noisy": EVIL},
    )
    page = make_page(data)
    reader = PageReader(page)
    assert not reader.find("script") and not reader.find("img")
    assert "\x1b" not in page and "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    assert not [each for _, attributes in reader.elements for each in attributes if each.startswith("on")]


def test_page_can_be_used_without_eyes_and_without_a_mouse() -> None:
    page = PageReader(PAGE)
    assert page.find("html") == [{"lang": "en"}]
    assert len(page.find("h1")) == len(page.find("main")) == 1
    assert len(page.find("caption")) == len(page.find("table"))
    assert all(each.get("scope") in ("row", "col") for each in page.find("th"))
    assert all(each.get("aria-label") for each in page.find("svg"))
    points = [each for each in page.find("g") if each.get("role") == "img"]
    assert len(points) == 2 * len(RESULTS)
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in points)
    assert points[1]["aria-label"] == "2 int8-128: 1.8 MB, tokens/s 1000.0 [909.1, 1111.1]"
    scrolled = [each for each in page.find("div") if each.get("class") == "scroll"]
    assert all(each["tabindex"] == "0" and each["role"] == "region" and each["aria-label"] for each in scrolled)
    assert len(page.find("details")) >= 2  # a table behind each picture


def test_charts_draw_the_front_and_mark_what_is_dominated() -> None:
    page = PageReader(PAGE)
    assert len(page.find("polyline")) == 2
    classes = [each["class"] for each in page.find("g") if each.get("role") == "img"]
    assert classes == ["point", "point", "point dominated", "point"] * 2
    assert "dominated by int8-128" in "".join(page.find_texts("td"))


def test_charts_of_what_cannot_be_compared_are_left_out() -> None:
    elsewhere = make_result("elsewhere", 10, 1.0, 0.5, benchmark__host__processor="another")
    page = PageReader(make_page(make_data([RESULTS[0], elsewhere])))
    assert [each["aria-label"] for each in page.find("svg")] == ["Size and divergence from PyTorch: 2 results"]
    assert "times were taken on different hosts and cannot be compared" in page.find_texts("li")


def test_result_that_lacks_a_quantity_is_missing_in_its_chart_alone() -> None:
    bare = make_result("bare", 10, 1.0, 0.5, benchmark=None)
    page = PageReader(make_page(make_data([RESULTS[0], bare, RESULTS[1]])))
    labels = [str(each["aria-label"])[:6] for each in page.find("g") if each.get("role") == "img"]
    assert labels == ["1 fp32", "3 int8", "1 fp32", "2 bare", "3 int8"]


def test_heat_map_has_the_errors_of_matrices_by_layer() -> None:
    page = PageReader(PAGE)
    cells = [each for each in page.find("td") if each.get("class") == "heat"]
    assert len(cells) == 3 * 25  # the first result has no error
    largest = max(cells, key=lambda each: float(each["data-value"] or 0))
    assert float(largest["data-value"] or 0) == 0.003 * 37
    assert largest["style"] == "background: rgb(120 140 255 / 0.550)"
    assert "ln_1" not in "".join(page.find_texts("th"))
    rows = page.find_texts("th")
    assert rows.index("layer 9") < rows.index("layer 10")


def test_times_are_by_operator_and_add_up_to_the_whole() -> None:
    page = PageReader(PAGE)
    cells = [each for each in page.find("td") if each.get("class") == "time"]
    assert len(cells) == 2 * 4 * len(RESULTS)
    token = [float(each["data-value"] or 0) for each in cells[len(cells) // 2 :]]
    assert token[:4] == [0.75, 1.5, 2.25, 3.0]
    assert [sum(token[place:12:4]) for place in range(4)] == token[12:]
    assert cells[-1]["style"] == "background: rgb(90 170 120 / 0.550)"
    titles = [each for each in page.find_texts("th") if each in ("MatMulNBits", "GroupQueryAttention", "all")]
    assert titles == ["MatMulNBits", "GroupQueryAttention", "all"] * 2


def test_answers_mark_what_differs_from_the_baseline() -> None:
    page = PageReader(PAGE)
    assert page.find_texts("mark") == [" g"] * 3
    counts = [each for each in page.find_texts("span") if "tokens" in each]
    assert counts == ["all 3 tokens are the baseline's", *["1 of 3 tokens differ, the first at 2"] * 3]


def test_result_without_a_package_says_why_it_has_no_answer() -> None:
    answers = {"fp32": "its package is not in this store", "int8-128": [Answer((), ())]}
    page = PageReader(make_page(make_data(RESULTS[:2], answers=answers)))
    assert "fp32: no answer: its package is not in this store" in page.find_texts("p")


def test_section_without_data_is_left_out() -> None:
    page = PageReader(make_page(PageData(Comparison(RESULTS))))
    assert page.find_texts("h2") == [
        *("Results", "Size against speed and divergence", "Differences of the recipes", "Machines"),
    ]


@pytest.mark.parametrize("token", [0.0, 1e-300, 1e300])
@pytest.mark.parametrize("kl", [-1e-9, 0.0, 1e-320, 1e300])
def test_odd_numbers_of_an_edited_report_make_a_page(token: float, kl: float) -> None:
    odd = make_result("odd", 1, token, kl, benchmark__spread__token_ms=[0.0, token])
    PageReader(make_page(make_data([odd, RESULTS[0]])))
