"""`gpt2forge claim` on saved reports and on a built result."""

import json
from pathlib import Path

import pytest

from tests.builder.test_claim import GOOD
from tests.reports import change_report
from tests.workshop import Workshop, make_workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = make_workshop(tmp_path / "here")
    for name, changes in (("good", GOOD), ("big", {**GOOD, "bytes__package": 2_000_000})):
        (made.folder / f"{name}.json").write_text(json.dumps(change_report(recipe=name, **changes)))
    return made


def test_each_promise_has_a_verdict_with_intervals_and_a_badge(shop: Workshop) -> None:
    done = shop.run("claim", "good.json", "--badge", "badge.svg")
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("pass")] == [
        ["pass", "size"],
        ["pass", "wait"],
        ["pass", "accuracy"],
    ]
    assert "KL" in lines[-1] and "1.50e-03 [1.40e-03, 1.60e-03] (95%), at most 5.00e-03" in lines[-1]
    assert "size -76% prompt -62% token -80% KL 1.5e-03: pass" in (shop.folder / "badge.svg").read_text()


def test_a_broken_promise_ends_with_one_line_and_exit_code_1(shop: Workshop) -> None:
    done = shop.run("claim", "big.json", "--json", code=1)
    found = json.loads(done.stdout)
    assert {promise["name"]: promise["passes"] for promise in found["promises"]} == {
        "size": False,
        "wait": True,
        "accuracy": True,
    }
    assert done.stderr == "error: big: the promise does not hold for `size` on this host\n"


def test_several_recipes_are_refused(shop: Workshop) -> None:
    (line,) = shop.run("claim", "nano-cpu", code=1).stderr.splitlines()
    assert "selects several recipes, and one is needed" in line


@pytest.mark.slow
def test_a_built_result_is_not_measured_again(measured: Workshop) -> None:
    report = json.loads((measured.folder / "build/nano-cpu-int8-proven.json").read_text())
    done = measured.run("claim", "build/nano-cpu-int8-proven.json", "--json", code=1)
    size = json.loads(done.stdout)["promises"][0]["numbers"][0]["value"]
    assert size == report["bytes"]["package"] / report["bytes"]["float32"]
