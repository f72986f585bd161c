"""The report of this host's last run, `build/<name>.json`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gpt2forge.executor.outcome import Outcome
from gpt2forge.store.atomic import write_whole


def make_report(
    values: Mapping[str, Any],
    output: Path | None,
    outcomes: Sequence[Outcome],
    warnings: Sequence[str],
    error: str | None,
) -> dict[str, Any]:
    """Put the numbers of all steps in their places; a part that no step measured is null.

    `values` are the whole recipe's, as JSON; `output` is None where nothing was published.
    """
    metrics: dict[str, Any] = {}
    for outcome in outcomes:
        metrics.update(outcome.metrics)
    return {
        "recipe": values["name"],
        "output": None if output is None else str(output),
        "error": error,
        "warnings": list(warnings),
        "values": dict(values),
        "steps": [outcome.to_json() for outcome in outcomes],
        **{part: metrics.get(part) for part in ("bytes", "verify", "benchmark")},
    }


def write_report(path: Path, report: dict[str, Any], publish: Callable[[], None] | None = None) -> None:
    """Write a report, and publish what it tells of: no report ever lies beside what another one tells of.

    What the report needs of the disk is there before anything is published, and in between there is none.
    """

    def exchange() -> None:
        if publish:
            path.unlink(missing_ok=True)
            publish()

    write_whole(path, (json.dumps(report, indent=2) + "\n").encode(), exchange)


def refuse_constant(name: str) -> None:
    """NaN and its like are no numbers, and no JSON."""
    raise ValueError(f"{name} is no number")


def read_report(path: Path) -> dict[str, Any] | None:
    """The saved report; None when there is none that can be read."""
    try:
        report = json.loads(path.read_bytes(), parse_constant=refuse_constant)
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def list_keys(report: Mapping[str, Any]) -> dict[Any, Any]:
    """The keys of a report's steps that were not skipped; a saved one may have been edited, and hold none."""
    steps = report.get("steps")
    found = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return {str(step.get("stage")): step.get("key") for step in found if step.get("outcome") != "skipped"}
