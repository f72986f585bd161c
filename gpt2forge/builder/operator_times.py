"""The time of a prompt and of a token by operator, of a package on this machine."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports onnxruntime
    from gpt2forge.runtime.node_times import ProfiledRun

PROMPT_TOKENS, NEW_TOKENS, ROUNDS = 64, 16, 3


@dataclass(frozen=True)
class PhaseTimes:
    """A prompt, or a token: the median time of a run and of all nodes of each operator, in milliseconds."""

    name: str
    ms: float
    operators: Mapping[str, float]

    @property
    def between_ms(self) -> float:
        """The time that no node takes: the engine between nodes."""
        return max(0.0, self.ms - sum(self.operators.values()))


def time_operators(package: Path) -> list[PhaseTimes]:
    """Run a package on random tokens, and return the times of a prompt and of a token.

    Raises UserError if the package cannot be opened.
    """
    from gpt2forge.checkpoint.config import read_config
    from gpt2forge.measure.package_profile import Timetable, profile_rounds

    half = max(1, read_config(package).n_positions // 2)
    table = Timetable(min(PROMPT_TOKENS, half), min(NEW_TOKENS, half), ROUNDS)
    with tempfile.TemporaryDirectory(prefix="gpt2forge-") as space:
        rounds = profile_rounds(package, table, Path(space))
    tokens = [run for each in rounds for run in each[1:]]
    return [
        add_up(f"a prompt of {table.prompt_tokens} tokens", [each[0] for each in rounds]),
        add_up("a new token", tokens),
    ]


def add_up(name: str, runs: "Sequence[ProfiledRun]") -> PhaseTimes:
    """Add up the median times of the nodes of each operator."""
    from gpt2forge.runtime.node_times import take_medians

    operators: dict[str, float] = {}
    for node in take_medians(runs):
        operators[node.operator] = operators.get(node.operator, 0.0) + node.ms
    return PhaseTimes(name, median(run.ms for run in runs), operators)
