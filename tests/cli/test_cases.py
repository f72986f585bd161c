"""Conditions and verdicts as tests of CI, and their XML."""

from xml.etree import ElementTree

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.condition import parse_condition
from gpt2forge.cli.cases import Case, list_condition_cases, list_verdict_cases
from gpt2forge.cli.junit import format_junit
from tests.reports import make_report

BASELINE = make_report()
WORSE = make_report(recipe="worse", verify__perplexity=60.0)
BARE = make_report(recipe="bare", verify=None, text=None)


def test_result_that_meets_a_condition_is_named_with_the_numbers() -> None:
    conditions = [parse_condition("perplexity > baseline * 1.01"), parse_condition("size > 1e9")]
    assert list(list_condition_cases(Comparison([BASELINE, WORSE, BARE]), conditions)) == [
        Case(
            "worse",
            "not perplexity > baseline * 1.01",
            failure="meets `perplexity > baseline * 1.01`: perplexity 60, baseline.perplexity 55.6",
        ),
        Case("worse", "not size > 1e9"),
        Case(
            "bare",
            "not perplexity > baseline * 1.01",
            failure="`perplexity > baseline * 1.01` cannot be checked: `perplexity` was not measured",
        ),
        Case("bare", "not size > 1e9"),
    ]


def test_verdict_on_each_result_is_a_case() -> None:
    far = make_report(recipe="far", values__verify={"max_kl": 0.01})
    cases = list(list_verdict_cases(Comparison([BASELINE, far, BARE])))
    assert [case.failure for case in cases] == [None, "beyond its limits: KL 0.0054 above `max_kl: 0.01`", None]
    assert [case.skipped for case in cases] == [None, None, "not measured: skipped"]


def test_xml_counts_and_escapes() -> None:
    cases = [Case("a", 'is < b & "c"'), Case("a\x1b[31m", "x", failure="y\0\n<z>"), Case("c", "x", skipped="s\udcff")]
    root = ElementTree.fromstring(format_junit(cases))
    assert root.tag == "testsuites"
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [case.get("name") for case in suite] == ['is < b & "c"', "x", "x"]
    assert [case.get("classname") for case in suite] == ["a", "a\\x1b[31m", "c"]
    assert [each.get("message") for case in suite for each in case] == ["y\\x00\\n<z>", "s\\udcff"]
