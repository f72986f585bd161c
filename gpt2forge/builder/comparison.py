"""The reports of several results side by side: their numbers, the differences of their recipes, and the Pareto front.

1. The first result is the baseline.
2. A result is on the Pareto front if no other dominates it in the quantities of FRONT (see dominance.py). A quantity
   counts only if all results have it and it can be compared (rule 3). With one quantity alone, such as the size where
   nothing was measured, no result dominates another. A result that was not published is never on the front, and
   dominates no other.
3. Times of different hosts cannot be compared, nor accuracies on different texts; a remark says so. Accuracies of
   different hosts can be compared, but rounding depends on the processor; a remark says that too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from gpt2forge.builder.dominance import dominates
from gpt2forge.builder.measurements import Host
from gpt2forge.builder.quantities import DIVERGENCE, FRONT, SIZE, TOKEN, ReadQuantity
from gpt2forge.builder.recommendation import recommend
from gpt2forge.builder.report import Report
from gpt2forge.builder.verdict import Verdict, find_verdict

Value = TypeVar("Value")
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
    def verdicts(self) -> list[Verdict]:
        """The verdict on each result."""
        return [find_verdict(report) for report in self.reports]

    @property
    def front_quantities(self) -> dict[str, ReadQuantity]:
        """The quantities that decide the Pareto front (rules 2 and 3)."""
        common = {
            name: read
            for name, read in self.comparable_quantities.items()
            if all(read(report) is not None for report in self.reports)
        }
        return common if len(common) > 1 else {}

    @property
    def comparable_quantities(self) -> dict[str, ReadQuantity]:
        """The quantities that can be compared where a result has them (rule 3)."""
        is_comparable = {SIZE: True, TOKEN: len(self.hosts) < 2, DIVERGENCE: len(self.texts) < 2}
        return {name: read for name, read in FRONT.items() if is_comparable[name]}

    @cached_property
    def dominators(self) -> list[list[str]]:
        """The names of the results that dominate each result (rule 2)."""
        reads = self.front_quantities.values()
        points = [[quantity for read in reads if (quantity := read(report))] for report in self.reports]
        published = [
            (name, point)
            for name, report, point in zip(self.names, self.reports, points, strict=True)
            if report.error is None
        ]
        return [[name for name, other in published if dominates(other, point)] for point in points]

    @property
    def front(self) -> list[bool]:
        """Tell of each report whether its result is on the Pareto front (rule 2)."""
        pairs = zip(self.reports, self.dominators, strict=True)
        return [report.error is None and not dominators for report, dominators in pairs]

    @property
    def recommendation(self) -> str:
        """The smallest and the fastest result within the limits, in one line."""
        return recommend(dict(zip(self.names, self.reports, strict=True)), can_compare_times=len(self.hosts) < 2)

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
            "dominated": {name: by for name, by in zip(self.names, self.dominators, strict=True) if by},
            "verdicts": {name: str(verdict) for name, verdict in zip(self.names, self.verdicts, strict=True)},
            "recommendation": self.recommendation,
            "differences": self.differences,
            "remarks": self.remarks,
            "reports": [report.to_json() for report in self.reports],
        }


def list_doubts(report: Report) -> Iterator[str]:
    """Yield why a result was not published, and what disturbed its times."""
    for line in (report.error or "").splitlines():
        yield f"was not published: {line}"
    if report.benchmark and report.benchmark.noise:
        yield "; ".join(report.benchmark.noise)


def distinct(values: Iterable[Value]) -> list[Value]:
    """Return the different values, in order; they need not be hashable."""
    found: list[Value] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `{a: {b: 1}}` as `a.b`, 1."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
