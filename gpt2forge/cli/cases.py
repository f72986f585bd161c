"""What must be true of each result: its verdict, and the conditions of `--fail-if` that it must not meet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.condition import Condition, Numbers
from gpt2forge.builder.report import Report
from gpt2forge.errors import UserError


@dataclass(frozen=True)
class Case:
    """A check of a result, as a test of CI: why it failed, or why nothing could be checked."""

    result: str
    name: str
    failure: str | None = None
    skipped: str | None = None


def list_verdict_cases(comparison: Comparison) -> Iterator[Case]:
    """Yield the verdict on each result."""
    for name, verdict in zip(comparison.names, comparison.verdicts, strict=True):
        yield Case(
            name,
            "is within its limits",
            failure=None if verdict.is_usable else str(verdict),
            skipped=str(verdict) if verdict.kind == "unmeasured" else None,
        )


def list_condition_cases(comparison: Comparison, conditions: Sequence[Condition]) -> Iterator[Case]:
    """Yield each condition for each result but the baseline."""
    baseline, *others = comparison.reports
    for name, report in zip(comparison.names[1:], others, strict=True):
        for condition in conditions:
            yield Case(name, f"not {condition.text}", failure=describe_failure(condition, report, baseline))


def describe_failure(condition: Condition, report: Report, baseline: Report) -> str | None:
    """Describe why a result meets a condition, with the numbers; None if it does not.

    A number that was not measured is a failure too, because nothing was checked.
    """
    numbers = Numbers(report, baseline)
    try:
        return f"meets `{condition.text}`: {numbers}" if condition.holds(numbers) else None
    except UserError as error:
        return f"`{condition.text}` cannot be checked: {error}"
