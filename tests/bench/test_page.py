"""Parts that are measured apart take their place on the page, and it says so."""

from typing import Any

import pytest

pytest.importorskip("torch")

from bench.__main__ import merge_page
from bench.document import compose_page, read_results
from bench.goals import add_goals
from bench.page import PEERS, TAKEN, describe_origin, merge, name_origin

LATER = {"date": "2099-01-01", "host": {"processor": "a later one", "versions": read_results()["host"]["versions"]}}
OF_NANO = PEERS.format("nano")


@pytest.fixture
def written() -> dict[str, Any]:
    return read_results()


def measure(*parts: str, **found: Any) -> dict[str, Any]:
    """Return the results of a later run that measured these parts."""
    origins = dict.fromkeys(parts, name_origin(LATER))
    return {**LATER, "command": "a later one", "seconds": dict.fromkeys(parts, 1.0), "origins": origins, **found}


def test_a_part_takes_the_place_of_what_the_page_has_of_it(written: dict[str, Any]) -> None:
    idle = {name: {**spread, "median": 1.0} for name, spread in written["idle"].items()}
    page = merge(written, measure("idle", idle=idle))
    assert page["idle"] == idle
    assert {name: page[name] for name in ("host", "command", "date")} == {
        name: written[name] for name in ("host", "command", "date")
    }
    assert describe_origin(page, "idle") == "The following was measured apart, on 2099-01-01 on a later one:"
    assert not describe_origin(page, "builds")
    assert page["origins"] == {**written["origins"], "idle": name_origin(LATER)}


def test_all_goals_stay_on_a_page_that_gets_a_part(written: dict[str, Any]) -> None:
    goals = merge_page(add_goals(measure("idle", idle=written["idle"])))["goals"]
    of_whole = "`make bench`, checkpoints prepared"  # which a page of several runs has not
    assert [goal["what"] for goal in goals] == [each["what"] for each in written["goals"] if each["what"] != of_whole]


def test_a_model_takes_the_place_of_that_model_alone(written: dict[str, Any]) -> None:
    nano = {**written["peers"]["nano"], "memory_gb_s": {"sum": {"median": 1.0, "least": 1.0, "largest": 1.0}}}
    page = merge(written, measure(OF_NANO, peers={"nano": nano}))
    assert page["peers"] == {**written["peers"], "nano": nano}
    assert list(page["peers"]) == list(written["peers"])
    assert compose_page(page).count("measured apart, on 2099-01-01") == 1


def test_a_whole_run_stands_on_top_and_keeps_what_it_did_not_measure(written: dict[str, Any]) -> None:
    peers = {model: written["peers"][model] for model in ("774m", "nano")}
    page = merge(written, measure(*TAKEN, peers=peers, idle=written["idle"]))
    assert (page["date"], page["command"]) == ("2099-01-01", "a later one")
    assert not any(describe_origin(page, part) for part in TAKEN)
    assert describe_origin(page, "kernels") and page["peers"].keys() == written["peers"].keys()


def test_a_page_is_of_one_version_of_every_tool(written: dict[str, Any]) -> None:
    newer = {**LATER["host"], "versions": {**LATER["host"]["versions"], "onnxruntime": "9"}}
    with pytest.raises(ValueError, match="other versions than are installed now: measure all of it anew"):
        merge(written, {**measure("idle", idle=written["idle"]), "host": newer})
    whole = {**measure(*TAKEN, idle=written["idle"]), "host": newer}
    assert merge(written, whole) == whole


def test_a_whole_run_beside_other_peers_keeps_what_was_measured_of_ours_alone(written: dict[str, Any]) -> None:
    others = {**LATER["host"], "versions": {**LATER["host"]["versions"], "ctranslate2": "9"}}
    peers = {model: written["peers"][model] for model in ("774m", "nano")}
    page = merge(written, {**measure(*TAKEN, peers=peers), "host": others})
    assert page["peers"] == peers and page["scale"] == written["scale"]
    assert (
        page["seconds"].keys()
        == page["origins"].keys()
        == {*TAKEN, *(part for part in written["seconds"] if not part.startswith("peers of "))}
    )
