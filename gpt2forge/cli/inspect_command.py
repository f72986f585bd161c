"""`gpt2forge inspect`: describes a checkpoint, or how the weights of a result are stored, without loading weights."""

from pathlib import Path
from typing import Any

import click

from gpt2forge.builder.result import hold_result
from gpt2forge.checkpoint.detect import NoCheckpoint
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.cli.summary import NOTHING
from gpt2forge.errors import UserError
from gpt2forge.fetch.address import find_address
from gpt2forge.new_project.starting_recipe import describe_model, name_model, name_recipe, write_recipe
from gpt2forge.quantize.coverage import Kind, group_tensors
from gpt2forge.recipe.suggest_path import suggest_path
from gpt2forge.stages.forge_json import NAME, read_provenance
from gpt2forge.units import format_size

MOST = 1 << 60  # of any number that describes a tensor
HEAD = ("tensors", "how many", "bits", "weights a scale", "bits a weight", "relative error", "size")


@click.command("inspect")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--recipe", "as_recipe", is_flag=True, help="Print a recipe to start from, for a checkpoint.")
@json_option
def inspect(folder: Path, as_recipe: bool, as_json: bool) -> None:
    """Describe a checkpoint, or how a result stores its weights. No weights are loaded.

    It ends with an error that says why if the checkpoint cannot be built.
    """
    if as_recipe:
        console.write(start_recipe(folder))
        return
    with hold_result(folder) as result:
        result.check_file(NAME)
        tensors = read_provenance(result.folder).get("tensors")  # only the forge.json of a result has them
        if tensors is not None:
            write_kinds(group_tensors(check_tensors(tensors, folder / NAME)), as_json)
        else:
            write_checkpoint(result.folder if result.is_artifact else folder, as_json)


def start_recipe(checkpoint: Path) -> str:
    """Return a recipe to start from. Raises UserError if there is no checkpoint that can be built."""
    name, about = name_recipe(name_model(checkpoint)), describe_model(describe(checkpoint))
    return write_recipe(str(checkpoint), name=name, about=about, text=None, place="held-out.txt")


def check_tensors(tensors: Any, path: Path) -> list[dict[str, Any]]:
    """Return what forge.json says of the tensors. Raises UserError unless it says what gpt2forge writes."""
    is_list = isinstance(tensors, list) and all(isinstance(tensor, dict) for tensor in tensors)
    found = [pick(tensor) for tensor in tensors] if is_list else []
    if not found or not all(is_ours(**tensor) for tensor in found):
        raise UserError(f"{path}: its `tensors` are damaged; copy the directory again, or build it")
    return found


def pick(tensor: dict[str, Any]) -> dict[str, Any]:
    """Return the values that describe a tensor, None for those that are missing."""
    return {name: tensor.get(name) for name in ("name", "bits", "block", "bytes", "bits_per_weight", "error")}


def is_ours(*, name: Any, bits: Any, block: Any, bytes: Any, bits_per_weight: Any, error: Any) -> bool:
    """Return whether these may be the values of one tensor."""
    return (
        isinstance(name, str)
        and all(type(each) is int and 0 < each < MOST for each in (bits, bytes))
        and (block is None or (type(block) is int and 0 < block < MOST))
        and all(type(each) in (int, float) and 0 <= each < MOST for each in (bits_per_weight, error))
        and bits_per_weight > 0
    )


def write_kinds(kinds: list[Kind], as_json: bool) -> None:
    """Write one row for each kind of tensor."""
    if as_json:
        console.write_json({"tensors": [kind.to_json() for kind in kinds]})
    else:
        console.write_rows([HEAD, *(format_kind(kind) for kind in kinds)], {})


def format_kind(kind: Kind) -> tuple[str, ...]:
    is_float = kind.block is None and kind.bits > 8
    block = "-" if is_float else "channel" if kind.block is None else str(kind.block)
    most = f", at most {kind.error_max:.2%}" if kind.count > 1 else ""
    error = f"{kind.error_mean:.2%}{most}" if kind.error_max else "-"
    return (
        *(kind.name, str(kind.count), f"float{kind.bits}" if is_float else f"int{kind.bits}", block),
        *(f"{kind.bits_per_weight:.2f}", error, format_size(kind.bytes)),
    )


def write_checkpoint(checkpoint: Path, as_json: bool) -> None:
    """Write one row for each property of a checkpoint."""
    found = describe(checkpoint)
    if as_json:
        console.write_json(found)
    else:
        console.write_rows([(name, format_property(value)) for name, value in flatten(found)], {})


def describe(checkpoint: Path) -> dict[str, Any]:
    """Describe a checkpoint. Raises UserError that names the address which may be meant, if there is no such path."""
    from gpt2forge.checkpoint.describe import describe_checkpoint  # it imports numpy

    try:
        return describe_checkpoint(checkpoint)
    except UserError as error:
        fix = suggest_path(str(checkpoint), Path()) if isinstance(error, NoCheckpoint) else ""
        if fix:
            raise UserError(f"no checkpoint at `{checkpoint}`{fix}") from error
        address = find_address(str(checkpoint))
        if address is None:
            raise
        start = f"no checkpoint at `{checkpoint}`" if isinstance(error, NoCheckpoint) else str(error)
        raise UserError(f"{start}; to fetch it, a recipe names `{address}` in `source.checkpoint`") from error


def flatten(found: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """List the values of nested mappings under dotted names."""
    rows = []
    for name, value in found.items():
        rows += flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def format_property(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or NOTHING
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
