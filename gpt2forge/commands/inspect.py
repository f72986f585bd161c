"""`gpt2forge inspect`: what a checkpoint is, without loading the weights."""

from pathlib import Path
from typing import Any

from gpt2forge import console


def inspect(checkpoint: Path, as_json: bool) -> None:
    from gpt2forge.model.describe import describe_checkpoint

    found = describe_checkpoint(checkpoint)
    if as_json:
        console.write_json(found)
    else:
        console.write_rows([(name, show(value)) for name, value in flatten(found)], {})


def flatten(found: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows = []
    for name, value in found.items():
        rows += flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and not isinstance(value, bool) else str(value)
