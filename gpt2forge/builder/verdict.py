"""The verdict on a result: whether its numbers are within the limits of its recipe."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gpt2forge.builder.limits import LIMITS, Limit
from gpt2forge.builder.measurements import Accuracy
from gpt2forge.builder.report import Report

Kind = Literal["within", "unlimited", "unmeasured", "beyond", "failed"]

WORDS: dict[Kind, str] = {
    "within": "within its limits",
    "unlimited": "has no limits",
    "unmeasured": "not measured",
    "beyond": "beyond its limits",
    "failed": "not built",
}

PLACE = re.compile(r"^(--set \S+|\S+:\d+:\d+): ")
"""The place of a value at the start of an error."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a result, and the numbers or the reason for it."""

    kind: Kind
    detail: str = ""

    @property
    def words(self) -> str:
        return WORDS[self.kind]

    @property
    def is_usable(self) -> bool:
        """Return whether the result was built and exceeds no limit that was measured."""
        return self.kind not in ("beyond", "failed")

    def __str__(self) -> str:
        return f"{self.words}: {self.detail}" if self.detail else self.words


def find_verdict(report: Report) -> Verdict:
    """Compare the numbers of a report with the limits of its recipe."""
    limits = list(list_limits(report))
    excesses = list(list_excesses(report.verify, limits)) if report.verify else []
    if excesses:
        return Verdict("beyond", ", ".join(excesses))
    if report.error is not None:
        return Verdict("failed", shorten_error(report.error))
    if report.verify is None:
        return Verdict("unmeasured", explain_unmeasured(report, "verify"))
    numbers = ", ".join(describe_number(limit, value, report.verify) for limit, value in limits)
    return Verdict("within", numbers) if limits else Verdict("unlimited")


def list_limits(report: Report) -> Iterator[tuple[Limit, float]]:
    """Yield the limits that the recipe of a report sets, each with its value."""
    section = report.values.get("verify")
    values = section if isinstance(section, dict) else {}
    for limit in LIMITS:
        value = values.get(limit.key)
        if isinstance(value, int | float):
            yield limit, float(value)


def list_excesses(measured: Accuracy, limits: list[tuple[Limit, float]]) -> Iterator[str]:
    """Yield a description of each number that is beyond its limit."""
    for limit, value in limits:
        if limit.find_excess(value, measured):
            yield f"{limit.word} {limit.describe_excess(value, measured)}"


def describe_number(limit: Limit, value: float, measured: Accuracy) -> str:
    """Describe a number and its limit."""
    bound = "at least" if limit.is_floor else "at most"
    number = limit.form(getattr(measured, limit.name))
    return f"{limit.word} {number} ({bound} {limit.form(value)})"


def explain_unmeasured(report: Report, section: str) -> str:
    """Explain why a report lacks what the step of this section measures."""
    if report.values.get(section) is None:
        return f"the recipe has no `{section}` section"
    step = next((step for step in report.steps if step.stage == section), None)
    return "skipped" if step is None or step.outcome == "skipped" else ""


def shorten_error(error: str) -> str:
    """Return the fault that the first line of an error names, without the place in a recipe and how to fix it."""
    return PLACE.sub("", error.partition("\n")[0]).partition(";")[0]
