"""Counts the inputs of each reader that were tried, by this run and by earlier ones of the same sources."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tests.checkpoint.fuzzing.coverage import READERS


@dataclass
class Tally:
    """Numbers by the name of the reader: inputs, the seconds that they took, the lines that they reached."""

    sources: str
    inputs: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, inputs: int, seconds: float, lines: int) -> None:
        self.inputs[name] = self.count(name) + inputs
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.lines[name] = max(lines, self.lines.get(name, 0))

    def count(self, name: str) -> int:
        return self.inputs.get(name, 0)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def open_tally(path: Path) -> Tally:
    """Return what earlier runs tried; nothing if the readers have changed since."""
    empty = Tally(digest_sources())
    if not path.exists():
        return empty
    found = replace(empty, **json.loads(path.read_text(encoding="utf-8")))
    return found if found.sources == empty.sources else empty


def digest_sources() -> str:
    """Return a digest of all modules of the readers."""
    digest = hashlib.sha256()
    for path in sorted(Path(READERS).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
