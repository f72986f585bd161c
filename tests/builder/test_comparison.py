"""What is said of reports that stand side by side."""

from typing import Any

from gpt2forge.builder.comparison import Comparison, beats


def make_report(name: str, size: int, token: float, kl: float, host: str = "a", text: str = "t") -> dict[str, Any]:
    return {
        "recipe": name,
        "error": None,
        "steps": [],
        "values": {"name": name, "quantization": {"scheme": name[:4], "embeddings": "int8"}},
        "bytes": {"package": size, "float32": 100},
        "verify": {"kl_mean": kl, "text_digest": text, "host": {"processor": host}},
        "benchmark": {"token_ms": token, "host": {"processor": host}, "noise": []},
    }


FINE = make_report("none", 100, 3.0, 0.0)
SMALL = make_report("int4", 20, 1.0, 0.03)
MIDDLE = make_report("int8", 30, 2.0, 0.01)
WORSE = make_report("int8-old", 40, 2.0, 0.02)


def test_result_that_is_nowhere_better_than_another_is_not_on_the_front() -> None:
    comparison = Comparison([FINE, SMALL, MIDDLE, WORSE])
    assert comparison.front == [True, True, True, False]
    assert list(comparison.front_quantities) == ["size", "a token's time", "KL divergence"]
    assert comparison.remarks == []


def test_equal_results_do_not_beat_each_other() -> None:
    assert not beats([1, 2], [1, 2])
    assert Comparison([MIDDLE, MIDDLE]).front == [True, True]


def test_times_of_different_hosts_are_said_and_do_not_count() -> None:
    comparison = Comparison([FINE, make_report("int8", 30, 0.1, 0.01, host="b")])
    assert comparison.remarks == [
        "times were taken on different hosts and cannot be compared",
        "accuracy was measured on different hosts, whose processors may round differently",
    ]
    assert list(comparison.front_quantities) == ["size", "KL divergence"]


def test_accuracy_on_different_texts_is_said_and_does_not_count() -> None:
    comparison = Comparison([FINE, make_report("int8", 30, 0.1, 0.01, text="u")])
    assert comparison.remarks == ["accuracy was measured on different texts and cannot be compared"]
    assert list(comparison.front_quantities) == ["size", "a token's time"]


def test_keys_that_differ_are_listed_and_names_are_not() -> None:
    assert Comparison([FINE, MIDDLE]).differences == {"quantization.scheme": ["none", "int8"]}


def test_noise_of_a_measurement_is_remembered() -> None:
    noisy = {**MIDDLE, "benchmark": {**MIDDLE["benchmark"], "noise": ["a dog barked"]}}
    assert Comparison([FINE, noisy]).remarks == ["int8: a dog barked"]


def test_what_was_not_measured_counts_for_nobody() -> None:
    bare = {**MIDDLE, "verify": None, "benchmark": None, "bytes": {"package": 10, "float32": 100}}
    comparison = Comparison([FINE, bare])
    assert list(comparison.front_quantities) == ["size"]
    assert comparison.front == [False, True]


def test_what_was_not_published_is_said_and_beats_nobody() -> None:
    refused = {**SMALL, "bytes": {"package": 1, "float32": 100}, "error": "too far off"}
    comparison = Comparison([FINE, MIDDLE, refused])
    assert comparison.front == [True, True, False]
    assert comparison.remarks == ["int4: was not published: too far off"]


def test_same_recipe_of_two_reports_can_be_told_apart() -> None:
    assert Comparison([FINE, MIDDLE, FINE]).names == ["none (1)", "int8", "none (2)"]
