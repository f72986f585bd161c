"""Puts the reports of several results side by side: what each measured, what differs in their recipes, who is beaten.

1. The first result is the baseline.
2. A result is on the Pareto front if no other is at least as good in every quantity of FRONT and better in one. A
   quantity counts only where all results have it and it can be compared (rule 3). What was not published is not on it.
3. Times of different hosts, and accuracies on different texts, are not comparable; both are said. Accuracies on
   different hosts are, but rounding depends on the processor: that is said too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]
Path = tuple[str, ...]

SIZE, TOKEN, DIVERGENCE = ("bytes", "package"), ("benchmark", "token_ms"), ("verify", "kl_mean")
FRONT: Mapping[str, Path] = {"size": SIZE, "a token's time": TOKEN, "KL divergence": DIVERGENCE}
OWN = {"name"}  # keys in which every recipe differs


@dataclass(frozen=True)
class Comparison:
    """Reports in the order asked for, and what can be said of them together."""

    reports: Sequence[Report]

    @property
    def names(self) -> list[str]:
        """The recipes' names; where one stands twice, with a number."""
        plain = [str(report["recipe"]) for report in self.reports]
        return [
            name if plain.count(name) == 1 else f"{name} ({plain[: index + 1].count(name)})"
            for index, name in enumerate(plain)
        ]

    @property
    def hosts(self) -> list[Any]:
        """The different hosts that times were taken on."""
        return distinct(find(report, ("benchmark", "host")) for report in self.reports)

    @property
    def texts(self) -> list[Any]:
        """The different texts that accuracies were taken with, by what names their tokens."""
        return distinct(find(report, ("verify", "text_digest")) for report in self.reports)

    @property
    def front_quantities(self) -> dict[str, Path]:
        """What the Pareto front goes by (rules 2 and 3)."""
        comparable: dict[Path, bool] = {TOKEN: len(self.hosts) < 2, DIVERGENCE: len(self.texts) < 2}
        return {
            name: path
            for name, path in FRONT.items()
            if comparable.get(path, True) and all(find(report, path) is not None for report in self.reports)
        }

    @property
    def front(self) -> list[bool]:
        """Whether each is on the Pareto front."""
        points = [[find(report, path) for path in self.front_quantities.values()] for report in self.reports]
        is_fine = [report.get("error") is None for report in self.reports]
        fine = [point for point, counts in zip(points, is_fine, strict=True) if counts]
        return [
            counts and not any(beats(other, point) for other in fine)
            for point, counts in zip(points, is_fine, strict=True)
        ]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """The keys in which the recipes differ, with each one's value."""
        flat = [dict(flatten(report.get("values") or {})) for report in self.reports]
        keys = dict.fromkeys(key for values in flat for key in values)
        rows = {key: [values.get(key) for values in flat] for key in keys if key not in OWN}
        return {key: values for key, values in rows.items() if len(distinct(values, keep_none=True)) > 1}

    @property
    def remarks(self) -> list[str]:
        """What makes numbers that stand side by side incomparable or doubtful."""
        found = []
        if len(self.hosts) > 1:
            found.append("times were taken on different hosts and cannot be compared")
        if len(distinct(find(report, ("verify", "host")) for report in self.reports)) > 1:
            found.append("accuracy was measured on different hosts, whose processors may round differently")
        if len(self.texts) > 1:
            found.append("accuracy was measured on different texts and cannot be compared")
        for name, report in zip(self.names, self.reports, strict=True):
            if report.get("error") is not None:
                found += [f"{name}: was not published: {line}" for line in str(report["error"]).splitlines()]
            found += [f"{name}: {noise}" for noise in find(report, ("benchmark", "noise")) or ()]
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "baseline": self.names[0],
            "front": [name for name, is_on in zip(self.names, self.front, strict=True) if is_on],
            "front_quantities": list(self.front_quantities),
            "differences": self.differences,
            "remarks": self.remarks,
            "reports": list(self.reports),
        }


def find(report: Report, path: Path) -> Any:
    """The value at a path; None where something on the way is missing."""
    value: Any = report
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def distinct(values: Any, keep_none: bool = False) -> list[Any]:
    """The different values, in order; they need not be hashable."""
    found: list[Any] = []
    for value in values:
        if value not in found and (keep_none or value is not None):
            found.append(value)
    return found


def beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is nowhere larger and somewhere smaller."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`{a: {b: 1}}` as `a.b`, 1."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
