"""The outcome of one step of a run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["built", "reused", "failed", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a step. `seconds` and `peak_memory_bytes` are of its run: this one, or (reused) an earlier one."""

    stage: str
    outcome: Kind
    reason: str
    key: str | None = None
    digest: str | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the step as a report holds it, without the metrics, which have their own places there."""
        values = asdict(self)
        del values["metrics"]
        return values
