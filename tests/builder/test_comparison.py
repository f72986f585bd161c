"""The remarks, the differences and the Pareto front of reports side by side."""

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.report import Report
from tests.reports import make_report


def make_result(name: str, size: int, token: float, kl: float, host: str = "a", text: str = "t") -> Report:
    return make_report(
        recipe=name,
        values={"name": name, "quantization": {"scheme": name[:4], "embeddings": "int8"}},
        bytes={"package": size, "float32": 100},
        benchmark__token_ms=token,
        benchmark__spread__token_ms=[token * 0.9, token * 1.1],
        benchmark__host__processor=host,
        verify__kl_mean=kl,
        verify__intervals__kl_mean=[kl * 0.9, kl * 1.1],
        verify__text_digest=text,
        verify__host__processor=host,
    )


FINE = make_result("none", 100, 3.0, 0.0)
SMALL = make_result("int4", 20, 1.0, 0.03)
MIDDLE = make_result("int8", 30, 2.0, 0.01)
WORSE = make_result("int8-old", 40, 2.0, 0.02)


def test_result_that_is_nowhere_better_than_another_is_not_on_the_front() -> None:
    comparison = Comparison([FINE, SMALL, MIDDLE, WORSE])
    assert comparison.front == [True, True, True, False]
    assert comparison.dominators == [[], [], [], ["int8"]]
    assert list(comparison.front_quantities) == ["size", "a token's time", "KL divergence"]
    assert comparison.remarks == []


def test_equal_results_do_not_dominate_each_other() -> None:
    assert Comparison([MIDDLE, MIDDLE]).front == [True, True]


def test_difference_within_the_noise_keeps_no_result_on_the_front() -> None:
    closer = make_result("int4-gptq", 20, 1.05, 0.02)
    assert Comparison([SMALL, closer]).dominators == [["int4-gptq"], []]
    slower = make_result("int4-gptq", 20, 1.3, 0.02)
    assert Comparison([SMALL, slower]).dominators == [[], []]


def test_recommendation_names_the_smallest_and_the_fastest() -> None:
    assert Comparison([FINE, SMALL, MIDDLE]).recommendation == "smallest and fastest: int4"
    fast = make_result("fast", 90, 0.5, 0.0)
    assert Comparison([FINE, SMALL, fast]).recommendation == "smallest: int4; fastest: fast"
    close = make_result("close", 90, 0.95, 0.0)
    assert Comparison([SMALL, close]).recommendation == "smallest: int4; fastest: close, though not surely faster"


def limit(report: Report, most: float) -> Report:
    return report.model_copy(update={"values": {**report.values, "verify": {"max_kl": most}}})


def test_recommendation_keeps_to_the_limits() -> None:
    results = [limit(each, 0.02) for each in (FINE, SMALL, MIDDLE)]
    assert Comparison(results).recommendation == "smallest and fastest within your limits: int8"
    assert Comparison([limit(FINE, -1), limit(SMALL, -1)]).recommendation == "no result is within its limits"


def test_recommendation_says_if_quality_or_speed_was_not_measured() -> None:
    bare = [each.leave_out(["verify", "benchmark"]) for each in (SMALL, MIDDLE)]
    assert Comparison(bare).recommendation == "smallest: int4 (quality was not measured)"
    elsewhere = make_result("int8", 30, 0.1, 0.01, host="b")
    assert Comparison([FINE, elsewhere]).recommendation == "smallest: int8"


def test_times_of_different_hosts_have_a_remark_and_do_not_count() -> None:
    comparison = Comparison([FINE, make_result("int8", 30, 0.1, 0.01, host="b")])
    assert comparison.remarks == [
        "times were taken on different hosts and cannot be compared",
        "accuracy was measured on different hosts, whose processors may round differently",
    ]
    assert list(comparison.front_quantities) == ["size", "KL divergence"]


def test_accuracy_on_different_texts_has_a_remark_and_does_not_count() -> None:
    comparison = Comparison([FINE, make_result("int8", 30, 0.1, 0.01, text="u")])
    assert comparison.remarks == ["accuracy was measured on different texts and cannot be compared"]
    assert list(comparison.front_quantities) == ["size", "a token's time"]


def test_keys_that_differ_are_listed_and_names_are_not() -> None:
    assert Comparison([FINE, MIDDLE]).differences == {"quantization.scheme": ["none", "int8"]}


def test_key_that_one_recipe_lacks_is_a_difference() -> None:
    bare = MIDDLE.model_copy(update={"values": {"name": "int8", "quantization": {"scheme": "int8"}}})
    assert Comparison([MIDDLE, bare]).differences == {"quantization.embeddings": ["int8", None]}


def test_noise_of_a_measurement_is_a_remark() -> None:
    assert MIDDLE.benchmark is not None
    noisy = MIDDLE.model_copy(update={"benchmark": MIDDLE.benchmark.model_copy(update={"noise": ("a dog barked",)})})
    assert Comparison([FINE, noisy]).remarks == ["int8: a dog barked"]


def test_quantity_that_one_result_lacks_does_not_count() -> None:
    untimed = make_result("int8", 10, 2.0, 0.0).leave_out(["benchmark"])
    comparison = Comparison([FINE, untimed])
    assert list(comparison.front_quantities) == ["size", "KL divergence"]
    assert comparison.front == [False, True]


def test_size_alone_is_no_reason_to_prefer_a_result() -> None:
    bare = make_result("int8", 10, 2.0, 0.01).leave_out(["verify", "benchmark"])
    comparison = Comparison([FINE, bare])
    assert list(comparison.front_quantities) == []
    assert comparison.front == [True, True]


def test_result_that_was_not_published_has_a_remark_and_beats_no_other() -> None:
    refused = make_result("int4", 1, 1.0, 0.03).model_copy(update={"error": "too far off\nand too slow"})
    comparison = Comparison([FINE, MIDDLE, refused])
    assert comparison.front == [True, True, False]
    assert comparison.remarks == ["int4: was not published: too far off", "int4: was not published: and too slow"]


def test_same_recipe_of_two_reports_can_be_told_apart() -> None:
    assert Comparison([FINE, MIDDLE, FINE]).names == ["none (1)", "int8", "none (2)"]


def test_json_holds_the_reports_as_they_are_saved() -> None:
    assert Comparison([FINE, MIDDLE]).to_json()["reports"] == [FINE.to_json(), MIDDLE.to_json()]


def test_json_has_the_verdicts_and_what_dominates_what() -> None:
    found = Comparison([FINE, MIDDLE, WORSE]).to_json()
    assert found["dominated"] == {"int8-old": ["int8"]}
    assert found["verdicts"] == dict.fromkeys(["none", "int8", "int8-old"], "has no limits")
    assert found["recommendation"] == "smallest and fastest: int8"
