"""Differences between pre-images: between two, and their number for thousands of records at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpt2forge.store.record_index import IndexEntry, format_parts, parse_part
from gpt2forge.store.records import Records

INPUTS = "inputs"
UNREADABLE = 1 << 20  # differences of a record that cannot be read


@dataclass(frozen=True)
class Difference:
    """A value that differs between two pre-images; `path` is ("section", "granularity"), an absent value None."""

    path: tuple[str, ...]
    old: Any
    new: Any


def compare(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """Compare two pre-images. An input that is not made yet (None) counts as equal, one that only one has does not."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            if path != (INPUTS,):
                yield from compare(old.get(name), new.get(name), (*path, name))
            elif is_other_input(old, new, name):
                yield Difference((*path, name), old.get(name), new.get(name))
    elif old != new:
        yield Difference(path, old, new)


def is_other_input(old: Mapping[str, Any], new: Mapping[str, Any], kind: str) -> bool:
    """Return whether only one of two steps reads a kind of input, or the new one reads another content."""
    return kind not in old or kind not in new or new[kind] not in (None, old[kind])


def count_differences(old: Any, new: Any, are_inputs: bool) -> int:
    """Return how many differences `compare` yields for one part, in a tenth of the time if most values are equal."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return int(old != new)
    if are_inputs:
        return sum([is_other_input(old, new, kind) for kind in {**old, **new}])
    pairs = [(old.get(name), new.get(name)) for name in {**old, **new}]
    return sum([count_differences(*pair, False) for pair in pairs if pair[0] != pair[1]])


@dataclass
class DifferenceCounts:
    """Counts the differences of records from a pre-image; each distinct part is compared once.

    A part is a value of the pre-image by its name, as the index of records holds it. A part that a record lacks counts
    as one difference, so the counts begin with all parts, and each part of a record takes its own off.
    """

    pre_image: Mapping[str, Any]
    records: Records
    by_part: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.absent = {name for name, value in self.pre_image.items() if value is not None}
        self.by_part |= dict.fromkeys(format_parts(self.pre_image), 0)
        self.by_part |= {part: -(part.partition("=")[0] in self.absent) for part in self.by_part}

    def count(self, entry: IndexEntry) -> int:
        """Return the number of differences of a record."""
        try:
            return sum(map(self.by_part.__getitem__, entry.parts), len(self.absent))
        except KeyError:
            return self.count_new(entry)

    def count_new(self, entry: IndexEntry) -> int:
        """Compare the parts that no earlier record had. A record that cannot be read is the least similar."""
        new = [part for part in entry.parts if part not in self.by_part]
        values = dict(map(parse_part, new))
        if None in values.values():
            record = self.records.find(entry.stage, entry.key)
            if record is None:
                return UNREADABLE
            values = dict(record.pre_image)
        for part in new:
            name = part.partition("=")[0]
            differences = count_differences(values.get(name), self.pre_image.get(name), name == INPUTS)
            self.by_part[part] = differences - (name in self.absent)
        return self.count(entry)
