"""`gpt2forge inspect`: what a checkpoint is, or of a result how each weight is stored, without loading the weights."""

from pathlib import Path
from typing import Any

from gpt2forge.cli import console
from gpt2forge.quantize.coverage import Kind, group_tensors
from gpt2forge.stages.provenance import read_story
from gpt2forge.units import format_size

HEAD = ("tensors", "how many", "bits", "weights a scale", "bits a weight", "relative error", "size")


def inspect(folder: Path, as_json: bool) -> None:
    """A folder whose forge.json tells of its tensors is a result."""
    tensors = read_story(folder).get("tensors")
    if tensors is not None:
        write_kinds(group_tensors(tensors), as_json)
    else:
        write_checkpoint(folder, as_json)


def write_kinds(kinds: list[Kind], as_json: bool) -> None:
    if as_json:
        console.write_json({"tensors": [kind.to_json() for kind in kinds]})
    else:
        console.write_rows([HEAD, *(say_kind(kind) for kind in kinds)], {})


def say_kind(kind: Kind) -> tuple[str, ...]:
    is_float = kind.block is None and kind.bits > 8
    block = "-" if is_float else "channel" if kind.block is None else str(kind.block)
    most = f", at most {kind.error_max:.2%}" if kind.count > 1 else ""
    error = f"{kind.error_mean:.2%}{most}" if kind.error_max else "-"
    return (
        *(kind.name, str(kind.count), f"float{kind.bits}" if is_float else f"int{kind.bits}", block),
        *(f"{kind.bits_per_weight:.2f}", error, format_size(kind.bytes)),
    )


def write_checkpoint(checkpoint: Path, as_json: bool) -> None:
    from gpt2forge.checkpoint.describe import describe_checkpoint

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
