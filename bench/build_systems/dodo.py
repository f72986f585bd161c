"""The pipeline for doit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCES = [path.stem for path in sorted(Path().glob("*.0"))]
STEPS = 7


def task_step() -> Iterator[dict[str, Any]]:
    for number in range(1, STEPS + 1):
        before, after = ([f"{name}.{place}" for name in SOURCES] for place in (number - 1, number))
        copies = [f"cp {one} {other}" for one, other in zip(before, after, strict=True)]
        yield {"name": str(number), "file_dep": before, "targets": after, "actions": copies}
