"""Counting the differences of many records gives the numbers that comparing each would give."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.digest import digest_value
from gpt2forge.plan.difference import DifferenceCounts, compare
from gpt2forge.plan.nearest import find_nearest
from gpt2forge.store.records import Record
from tests.store.made import make_record
from tests.store.memory import MemoryRecords

VALUES = st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 2) | st.sampled_from(["a", "b" * 500])
PARTS = st.recursive(VALUES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=5)
PRE_IMAGES = st.dictionaries(st.sampled_from(["inputs", "section", "code", "tools"]), PARTS)


def test_only_an_input_that_both_read_may_be_not_made_yet() -> None:
    old = {"inputs": {"made": "a", "later": "b", "gone": "c", "other": "d"}}
    new = {"inputs": {"made": "a", "later": None, "new": None, "other": "e"}}
    found = [(difference.path[1], difference.old, difference.new) for difference in compare(old, new)]
    assert found == [("gone", "c", None), ("other", "d", "e"), ("new", None, None)]


def keep(*pre_images: dict[str, Any]) -> MemoryRecords:
    records = MemoryRecords()
    for number, pre_image in enumerate(pre_images):
        made = replace(make_record("1" * 64), key=digest_value(number), pre_image=pre_image, created=float(number))
        records.write(made)
    return records


@given(st.lists(PRE_IMAGES, max_size=6), PRE_IMAGES)
def test_counts_are_those_of_comparing_each(earlier: list[dict[str, Any]], new: dict[str, Any]) -> None:
    records = keep(*earlier)
    counts = DifferenceCounts(new, records)
    for record in records.list("convert"):
        assert counts.count(record.entry) == len(list(compare(record.pre_image, new)))


@given(st.lists(PRE_IMAGES, max_size=6), PRE_IMAGES)
def test_nearest_is_the_newest_with_the_fewest_differences(earlier: list[dict[str, Any]], new: dict[str, Any]) -> None:
    records = keep(*earlier)
    found = find_nearest(new, records.index("convert").list_all(), records)
    compared = [(record, tuple(compare(record.pre_image, new))) for record in records.list("convert")]
    expected = min(compared, key=lambda each: len(each[1]), default=None)
    assert (found and (found.record, found.differences)) == expected


@pytest.mark.parametrize("old", [{"code": {"a": "x" * 500}, "section": {}}, {"section": {}}])
def test_damaged_record_is_passed_over(old: dict[str, Any]) -> None:
    records = keep(old, {"section": {"far": 1, "away": 2}})
    entries = records.index("convert").list_all()
    damaged: Record = records.list("convert")[-1]
    del records.by_key[damaged.stage, damaged.key]
    nearest = find_nearest({"section": {}}, entries, records)
    assert nearest is not None
    assert nearest.record.pre_image == {"section": {"far": 1, "away": 2}}
