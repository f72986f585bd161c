"""The earlier run of a stage that a step is compared with: its reason names what differs, its estimate is made from it.

1. If all inputs of the step are made, the record of the step's own key, if there is one.
2. Otherwise the newest record that is the same but for the missing inputs.
3. Otherwise, of the MOST records that were added last, the one that differs in the fewest values, and the newest of
   several such.

Rules 1 and 2 decide whether a step may run or will run, so they find a record however old it is. Rule 3 only explains
and estimates, so it is bounded, and a plan takes no longer in a store of many records.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop
from typing import Any

from gpt2forge.digest import digest_value
from gpt2forge.plan.difference import INPUTS, Difference, DifferenceCounts, compare
from gpt2forge.store.record_index import Index, IndexEntry, format_parts, parse_part
from gpt2forge.store.records import Record, Records

MOST = 256  # as many as a recipe has variants


@dataclass(frozen=True)
class Nearest:
    """The earlier record that a step is compared with, and the values that differ."""

    record: Record
    differences: tuple[Difference, ...]


def find_earlier(
    pre_image: Mapping[str, Any],
    index: Index,
    records: Records,
    *,
    newest: Sequence[IndexEntry] | None = None,
    before: float = math.inf,
) -> Nearest | None:
    """Find the earlier run by the rules above, of those created before a time; None if the stage never ran.

    `newest` are the entries of rule 3, for a caller that has made them.
    """
    if not index.lines:
        return None
    entries = index.list_newest(MOST, before) if newest is None else newest
    return find_same(pre_image, index, records, before) or find_nearest(pre_image, entries, records)


def find_same(pre_image: Mapping[str, Any], index: Index, records: Records, before: float = math.inf) -> Nearest | None:
    """Find a record that differs in nothing but missing inputs (rules 1 and 2)."""
    for key in list_same(pre_image, index):
        record = records.find(index.stage, key)
        if record and record.created < before and is_same(record.pre_image, pre_image):
            return Nearest(record, ())
    return None


def is_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether two pre-images have the same kinds of inputs and differ only in inputs that the new one lacks."""
    return agree(old.get(INPUTS), new[INPUTS]) and not any(compare(old, new))


def list_same(pre_image: Mapping[str, Any], index: Index) -> Iterator[str]:
    """Yield the keys of the records that may differ in nothing but missing inputs, those added last first."""
    inputs = pre_image[INPUTS]
    if None not in inputs.values():
        key = digest_value(pre_image)
        yield from (key,) if key.encode() in index.lines else ()
        return
    for entry in index.list_alike(format_parts(pre_image), INPUTS):
        if agree(dict(map(parse_part, entry.parts))[INPUTS], inputs):
            yield entry.key


def agree(old: Any, new: Mapping[str, str | None]) -> bool:
    """Return whether the inputs of a record may be those of a step; None stands for inputs that only the record has."""
    if not isinstance(old, Mapping):
        return old is None
    return old.keys() == new.keys() and all(digest in (None, old[kind]) for kind, digest in new.items())


def find_nearest(pre_image: Mapping[str, Any], earlier: Iterable[IndexEntry], records: Records) -> Nearest | None:
    """Find the most similar record of these entries, and the newest of several; a record that is damaged is none."""
    counts = DifferenceCounts(pre_image, records)
    ranked = [(counts.count(entry), -entry.created, entry.stage, entry.key) for entry in earlier]
    heapify(ranked)
    while ranked:
        *_, stage, key = heappop(ranked)
        record = records.find(stage, key)
        if record:
            return Nearest(record, tuple(compare(record.pre_image, pre_image)))
    return None
