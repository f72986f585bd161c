"""`gpt2forge profile`: shows where the time of a prompt and of a token goes, and what could be faster."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpt2forge.builder.result import open_result
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.errors import UserError

if TYPE_CHECKING:  # they import onnxruntime
    from gpt2forge.measure.package_profile import Phase, ProfileRow
    from gpt2forge.measure.roofline import Machine
    from gpt2forge.tune.advice import FormTime

HEAD = ("", "nodes", "ms", "share", "at least, ms", "limited by")


@click.command("profile")
@click.argument("selector", metavar="RECIPE")
@click.option("--prompt-tokens", metavar="N", type=click.IntRange(1), default=64, help="Length of the prompt.")
@click.option("--new-tokens", metavar="N", type=click.IntRange(1), default=32, help="Tokens after the prompt.")
@click.option("--rounds", metavar="N", type=click.IntRange(1), default=5, help="How often both are run.")
@click.option("--threads", metavar="N", type=click.IntRange(0), default=0, help="Compute with N threads; 0: all cores.")
@json_option
def profile(selector: str, prompt_tokens: int, new_tokens: int, rounds: int, threads: int, as_json: bool) -> None:
    """Show where the time of a prompt and of a token goes, beside the least that this machine allows."""
    from gpt2forge.measure.package_profile import Timetable, profile_package
    from gpt2forge.measure.roofline import measure_machine
    from gpt2forge.tune.advice import list_advice, time_forms

    table = Timetable(prompt_tokens, new_tokens, rounds, threads)
    with open_result(selector) as result, tempfile.TemporaryDirectory(prefix="gpt2forge-") as space:
        check_context(result.folder, table.prompt_tokens + table.new_tokens)
        machine = measure_machine(threads)
        phases = profile_package(result.folder, table, machine, Path(space))
        times = time_forms(result.folder, prompt_tokens, threads)
        advice = list(list_advice(result.folder, phases, times))
    if as_json:
        found = {"phases": [phase.to_json() for phase in phases], "forms": [asdict(each) for each in times]}
        console.write_json({"machine": asdict(machine), **found, "advice": advice})
        return
    console.write_rows(list(tabulate(machine, phases, times)), {})
    for sentence in advice:
        console.inform(sentence)


def check_context(folder: Path, tokens: int) -> None:
    """Raise UserError if the model's context is shorter than the prompt and the new tokens."""
    from gpt2forge.checkpoint.config import read_config

    context = read_config(folder).n_positions
    if tokens > context:
        raise UserError(f"{tokens} tokens are more than this model's {context}; lower `--prompt-tokens`")


def tabulate(machine: "Machine", phases: "Sequence[Phase]", times: "Sequence[FormTime]") -> Iterator[Sequence[str]]:
    """Yield the rows of all tables."""
    for phase in phases:
        for title, rows in (("operator", phase.operators), ("layer", phase.layers)):
            yield (f"{phase.name}: {phase.ms:.3f} ms by {title}", *HEAD[1:])
            yield from (format_row(row, phase) for row in rows)
            if title == "operator":
                yield ("between nodes", "", f"{phase.between_ms:.3f}", f"{phase.between_ms / phase.ms:.1%}", "", "")
            yield ("",) * len(HEAD)
    yield ("machine", "", "", "", "", "")
    yield ("memory", "", f"{machine.bandwidth_gb_s:.1f} GB/s", "", "", "")
    yield ("products of floats", "", f"{machine.float_gops:.0f} Gop/s", "", "", "")
    yield ("products of integers", "", f"{machine.integer_gops:.0f} Gop/s", "", "", "")
    if times:
        yield ("",) * len(HEAD)
        yield ("products of all layers as", "", "token, ms", "prompt, ms", "", "")
    yield from ((each.form, "", f"{each.token_ms:.3f}", f"{each.prompt_ms:.3f}", "", "") for each in times)


def format_row(row: "ProfileRow", phase: "Phase") -> Sequence[str]:
    limit = f"{row.limit_ms:.3f}" if row.limited_by else "-"
    return (row.name, str(row.nodes), f"{row.ms:.3f}", f"{row.ms / phase.ms:.1%}", limit, row.limited_by)
