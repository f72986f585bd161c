"""The reports of several results side by side: their numbers, the differences of their recipes, and the Pareto front.

1. The first result is the baseline.
2. A result is on the Pareto front if no other result is at least as good in every quantity of FRONT and better in one.
   A quantity counts only if all results have it and it can be compared (rule 3). A result that was not published is
   never on the front and beats no other.
3. Times of different hosts cannot be compared, nor accuracies on different texts; a remark says so. Accuracies of
   different hosts can be compared, but rounding depends on the processor; a remark says that too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gpt2forge.builder.measurements import Host
from gpt2forge.builder.report import Report

Value = TypeVar("Value")
Quantity = Callable[[Report], float | None]
"""Reads a number of a report, of which less is better; None if it was not measured."""

SIZE, TOKEN, DIVERGENCE = "size", "a token's time", "KL divergence"
FRONT: Mapping[str, Quantity] = {
    SIZE: lambda report: report.bytes.package if report.bytes else None,
    TOKEN: lambda report: report.benchmark.token_ms if report.benchmark else None,
    DIVERGENCE: lambda report: report.verify.kl_mean if report.verify else None,
}
OWN = {"name"}
"""The keys of a recipe that differ in every recipe."""


@dataclass(frozen=True)
class Comparison:
    """Reports in the order in which the user named them, and what they show together."""

    reports: Sequence[Report]

    @property
    def names(self) -> list[str]:
        """The names of the recipes, each with a number if it occurs twice."""
        plain = [report.recipe for report in self.reports]
        return [
            name if plain.count(name) == 1 else f"{name} ({plain[: index + 1].count(name)})"
            for index, name in enumerate(plain)
        ]

    @property
    def hosts(self) -> list[Host]:
        """The different hosts that measured times."""
        return distinct(report.benchmark.host for report in self.reports if report.benchmark)

    @property
    def accuracy_hosts(self) -> list[Host]:
        """The different hosts that measured accuracies."""
        return distinct(report.verify.host for report in self.reports if report.verify)

    @property
    def texts(self) -> list[str]:
        """The digests of the different texts that accuracies were measured on."""
        return distinct(report.verify.text_digest for report in self.reports if report.verify)

    @property
    def front_quantities(self) -> dict[str, Quantity]:
        """The quantities that decide the Pareto front (rules 2 and 3)."""
        is_comparable = {SIZE: True, TOKEN: len(self.hosts) < 2, DIVERGENCE: len(self.texts) < 2}
        return {
            name: read
            for name, read in FRONT.items()
            if is_comparable[name] and all(read(report) is not None for report in self.reports)
        }

    @property
    def front(self) -> list[bool]:
        """Tell of each report whether its result is on the Pareto front (rule 2)."""
        quantities = self.front_quantities.values()
        points = [[read(report) or 0.0 for read in quantities] for report in self.reports]
        is_published = [report.error is None for report in self.reports]
        published = [point for point, counts in zip(points, is_published, strict=True) if counts]
        return [
            counts and not any(beats(other, point) for other in published)
            for point, counts in zip(points, is_published, strict=True)
        ]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """The keys in which the recipes differ, with the value of each recipe."""
        flat = [dict(flatten(report.values)) for report in self.reports]
        keys = dict.fromkeys(key for values in flat for key in values)
        rows = {key: [values.get(key) for values in flat] for key in keys if key not in OWN}
        return {key: values for key, values in rows.items() if len(distinct(values)) > 1}

    @property
    def remarks(self) -> list[str]:
        """The reasons why numbers cannot be compared or are doubtful."""
        remarks = []
        if len(self.hosts) > 1:
            remarks.append("times were taken on different hosts and cannot be compared")
        if len(self.accuracy_hosts) > 1:
            remarks.append("accuracy was measured on different hosts, whose processors may round differently")
        if len(self.texts) > 1:
            remarks.append("accuracy was measured on different texts and cannot be compared")
        for name, report in zip(self.names, self.reports, strict=True):
            remarks += [f"{name}: {remark}" for remark in list_doubts(report)]
        return remarks

    def to_json(self) -> dict[str, Any]:
        return {
            "baseline": self.names[0],
            "front": [name for name, is_on in zip(self.names, self.front, strict=True) if is_on],
            "front_quantities": list(self.front_quantities),
            "differences": self.differences,
            "remarks": self.remarks,
            "reports": [report.to_json() for report in self.reports],
        }


def list_doubts(report: Report) -> Iterator[str]:
    """Yield why a result was not published, and what disturbed its times."""
    for line in (report.error or "").splitlines():
        yield f"was not published: {line}"
    yield from report.benchmark.noise if report.benchmark else ()


def distinct(values: Iterable[Value]) -> list[Value]:
    """Return the different values, in order; they need not be hashable."""
    found: list[Value] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether `one` is larger nowhere and smaller somewhere."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `{a: {b: 1}}` as `a.b`, 1."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
