"""`gpt2forge doctor`: describes the machine and the installation, what is slow or wrong, and how to fix it."""

from collections.abc import Sequence
from pathlib import Path

import click

from gpt2forge.cli import console
from gpt2forge.cli.options import json_option, store_option
from gpt2forge.doctor.examination import Examination

COLOURS = {"slow": "yellow", "missing": "yellow", "little": "yellow", "wrong": "red"}


@click.command("doctor")
@store_option
@json_option
def doctor(store: Path, as_json: bool) -> None:
    """Describe this machine and installation: which recipes suit it, what is slow or wrong, and how to fix it."""
    from gpt2forge.doctor.diagnose import diagnose  # no other command needs its imports

    examinations = diagnose(store)
    findings = [finding for each in examinations for finding in each.findings]
    if as_json:
        values = {each.name: each.values for each in examinations}
        advice = [line for each in examinations for line in each.advice]
        console.write_json({**values, "advice": advice, "findings": [finding.to_json() for finding in findings]})
        return
    console.write_rows([(each.name, each.line) for each in examinations], {})
    console.write("".join(f"\n{line}\n" for line in list_advice(examinations)))
    if findings:
        console.write("\n")
        console.write_rows([(each.kind, f"{each.what}; {each.fix}") for each in findings], COLOURS)
    else:
        console.write("\nnothing is wrong\n")


def list_advice(examinations: Sequence[Examination]) -> list[str]:
    """List what the examinations mean for the choice of a recipe."""
    return [line for each in examinations for line in each.advice]
