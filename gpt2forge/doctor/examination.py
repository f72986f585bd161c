"""The result of one examination: values for programs, lines for people, and findings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something that is `slow`, `wrong` or `missing`, or of which there is `little`; what it is, and how to fix it."""

    kind: str
    what: str
    fix: str

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Examination:
    """One aspect of the machine. `values` are JSON; `line` describes them; `advice` is what they mean for a choice."""

    name: str
    values: Mapping[str, Any]
    line: str
    findings: tuple[Finding, ...] = ()
    advice: tuple[str, ...] = ()
