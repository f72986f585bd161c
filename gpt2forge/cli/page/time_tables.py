"""The time by operator: a table for a prompt and one for a token, a column for each result."""

from collections.abc import Mapping, Sequence

from gpt2forge.builder.operator_times import PhaseTimes
from gpt2forge.cli.page.markup import cell, make_table, text

DARKEST = 0.55  # opacity; the number in the cell stays legible in light and dark
COLOUR = "90 170 120"
BETWEEN, WHOLE = "between operators", "all"


def show_times(times: Mapping[str, Sequence[PhaseTimes]]) -> str:
    """Return the tables of the results by their names; empty if nothing was timed."""
    phases = dict.fromkeys(phase.name for measured in times.values() for phase in measured)
    return "".join(
        tabulate_phase(name, {result: find_phase(name, measured) for result, measured in times.items()})
        for name in phases
    )


def find_phase(name: str, measured: Sequence[PhaseTimes]) -> PhaseTimes | None:
    return next((phase for phase in measured if phase.name == name), None)


def tabulate_phase(name: str, results: Mapping[str, PhaseTimes | None]) -> str:
    """Return the table of a phase, the operators with the longest times first."""
    phases = list(results.values())
    operators = {operator for phase in phases if phase for operator in phase.operators}
    ranked = sorted(operators, key=lambda operator: (-max(read(phase, operator) or 0.0 for phase in phases), operator))
    rows = [[text(operator), *(show_time(phase, read(phase, operator)) for phase in phases)] for operator in ranked]
    rows.append([text(BETWEEN), *(show_time(phase, phase.between_ms if phase else None) for phase in phases)])
    rows.append([text(WHOLE), *(show_time(phase, phase.ms if phase else None) for phase in phases)])
    return make_table(f"Time of {name} by operator", ["operator", *map(text, results)], rows)


def read(phase: PhaseTimes | None, operator: str) -> float | None:
    """Return the time of an operator in milliseconds; None if the result has no such node."""
    return phase.operators.get(operator) if phase else None


def show_time(phase: PhaseTimes | None, ms: float | None) -> str:
    """Return the cell of a time, which is as dark as its share of the whole."""
    if phase is None or ms is None:
        return cell("")
    share = ms / phase.ms if phase.ms else 0.0
    style = f"background: rgb({COLOUR} / {DARKEST * min(share, 1.0):.3f})"
    return cell(f"{ms:.3f} ms, {share * 100:.0f} %", class_="time", style=style, data_value=repr(ms))
