"""A record that differs in nothing but missing inputs is found however old it is, and whatever harms the index."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.digest import digest_value
from gpt2forge.plan.nearest import MOST, find_earlier, find_same
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.store import record_index
from gpt2forge.store.record_index import withdraw
from gpt2forge.store.records import LocalRecords, Record
from gpt2forge.store.store import Store
from tests.plan.pretend import pretend
from tests.store.made import make_record
from tests.store.memory import MemoryArtifacts, MemoryRecords
from tests.toy.job import make_job

STAGE = "convert"
DIGESTS = st.sampled_from("ab")
SECTIONS = st.dictionaries(st.sampled_from("xy"), st.integers(0, 1), max_size=2)
KINDS = st.sampled_from(["graph", "text", "weights"])
OLD = st.dictionaries(KINDS, DIGESTS | st.just("c" * 500), max_size=3)
NEW = st.dictionaries(KINDS, st.none() | DIGESTS | st.just("c" * 500), max_size=3)


def describe(section: Any, inputs: Mapping[str, str | None]) -> dict[str, Any]:
    return {"code": {"a": "1"}, "inputs": dict(inputs), "section": section, "stage": STAGE, "version": 1}


def keep(*pre_images: dict[str, Any]) -> MemoryRecords:
    """Keep records in the order of their age, the oldest first."""
    records = MemoryRecords()
    for number, pre_image in enumerate(pre_images):
        made = replace(make_record("1" * 64), key=digest_value(pre_image), pre_image=pre_image, created=float(number))
        records.write(made)
    return records


def bury(pre_image: dict[str, Any]) -> MemoryRecords:
    """Keep a record, and so many newer ones that a search of the newest does not find it."""
    return keep(pre_image, *(describe({"x": number}, {"graph": "z"}) for number in range(MOST)))


def compare_with(new: dict[str, Any], records: MemoryRecords) -> tuple[Record, int]:
    found = find_earlier(new, records.index(STAGE), records)
    assert found is not None
    return found.record, len(found.differences)


@pytest.mark.parametrize("inputs", [{"graph": "a"}, {"graph": None}], ids=["made", "missing"])
def test_same_record_is_found_however_old(inputs: dict[str, str | None]) -> None:
    old = describe({"y": 5}, {"graph": "a"})
    found, differences = compare_with(describe({"y": 5}, inputs), bury(old))
    assert (found.pre_image, differences) == (old, 0)


def test_search_of_similar_records_is_bounded() -> None:
    similar = describe({"y": 5}, {"graph": "a"})
    found, differences = compare_with(describe({"y": 5}, {"graph": "b"}), bury(similar))
    assert (found.created, differences) == (MOST, 3)
    records = keep(similar, *(describe({"x": number}, {"graph": "z"}) for number in range(MOST - 1)))
    assert compare_with(describe({"y": 5}, {"graph": "b"}), records)[0].pre_image == similar


def test_only_records_before_a_time_are_compared() -> None:
    first, second = (describe({"y": number}, {"graph": "a"}) for number in range(2))
    records = keep(first, second)
    found = find_earlier(second, records.index(STAGE), records, before=1.0)
    assert found is not None
    assert found.record.pre_image == first
    assert find_earlier(second, records.index(STAGE), records, before=0.0) is None


@given(st.lists(st.tuples(SECTIONS, OLD), max_size=6), SECTIONS, NEW)
def test_same_record_is_the_newest_that_agrees_with_all_that_is_known(
    earlier: list[tuple[dict[str, int], dict[str, str]]], section: dict[str, int], inputs: dict[str, str | None]
) -> None:
    old = list({digest_value(each): each for each in (describe(*pair) for pair in earlier)}.values())
    records = keep(*old)
    found = find_same(describe(section, inputs), records.index(STAGE), records)
    known = {kind: digest for kind, digest in inputs.items() if digest is not None}
    agreeing = [
        each
        for each in old
        if each["section"] == section
        and each["inputs"].keys() == inputs.keys()
        and known.items() <= each["inputs"].items()
    ]
    assert (found and found.record.pre_image) == (agreeing[-1] if agreeing else None)


def cut_off(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-50])


def flip(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[-20] ^= 1
    index.write_bytes(data)


def empty(index: Path) -> None:
    index.write_bytes(b"")


def kill_writer(index: Path) -> None:
    withdraw(index.parent, next(index.parent.glob("*.json")).stem)


@pytest.mark.parametrize("harm", [Path.unlink, cut_off, flip, empty, kill_writer], ids=lambda harm: harm.__name__)
def test_harmed_index_changes_no_verdict_and_no_reason(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    root = tmp_path / "cache"
    store = Store(root, records=LocalRecords(root, is_read_only=True), artifacts=MemoryArtifacts())
    pretend(make_job(tmp_path / "source"), store)

    def plan() -> list[tuple[str, str]]:
        made = make_plan(make_job(tmp_path / "source", times=3), Readings(store), lambda done, total, unit: None)
        return [(step.verdict, step.reason) for step in made.steps]

    before = plan()
    assert [verdict for verdict, _ in before] == ["done", "will run", "may run"]
    for folder in sorted((root / "records").iterdir()):
        harm(folder / record_index.NAME)
    assert plan() == before
