"""Profiles a package: where the time of a prompt and of a token goes, by operator and by layer, beside the roofline."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from gpt2forge.graph.model_file import read_graph
from gpt2forge.measure.node_work import RunShape, Work, count_work
from gpt2forge.measure.roofline import Machine
from gpt2forge.runtime.decoder import Decoder
from gpt2forge.runtime.node_times import NodeTime, ProfiledRun, profile_runs, take_medians

LAYER = re.compile(r"h\.\d+(?=\.)")
WARM_UPS = 2
HEAD, EMBEDDINGS, OTHERS = "head", "embeddings", "others"


@dataclass(frozen=True)
class ProfileRow:
    """A group of nodes: their time in milliseconds, bytes, operations, and the least time of both (see `roofline`)."""

    name: str
    nodes: int
    ms: float
    bytes: int
    operations: int
    limit_ms: float
    limited_by: str


@dataclass(frozen=True)
class Phase:
    """A prompt, or a token: the median time of a run in milliseconds, and the same time by operator and by layer."""

    name: str
    ms: float
    operators: Sequence[ProfileRow]
    layers: Sequence[ProfileRow]

    @property
    def between_ms(self) -> float:
        """The time that no node takes: the engine between nodes."""
        return max(0.0, self.ms - sum(row.ms for row in self.operators))

    def to_json(self) -> dict[str, Any]:
        groups = {"operators": self.operators, "layers": self.layers}
        rows = {name: [asdict(row) for row in group] for name, group in groups.items()}
        return {"name": self.name, "ms": self.ms, "between_ms": self.between_ms, **rows}


@dataclass(frozen=True)
class Timetable:
    """The work that is profiled: a prompt, then tokens, several times."""

    prompt_tokens: int
    new_tokens: int
    rounds: int
    threads: int = 0


def profile_package(folder: Path, table: Timetable, machine: Machine, space: Path) -> list[Phase]:
    """Profile the package in `folder`; return the phases `prompt` and `token`. The profile goes to `space`."""
    rounds = profile_rounds(folder, table, space)
    graph = read_graph(folder).graph
    prompt = RunShape(table.prompt_tokens, 0)
    token = RunShape(1, table.prompt_tokens + table.new_tokens // 2)
    return [
        describe_phase("prompt", [each[0] for each in rounds], count_work(graph, prompt), machine),
        describe_phase("token", [run for each in rounds for run in each[1:]], count_work(graph, token), machine),
    ]


def profile_rounds(folder: Path, table: Timetable, space: Path) -> list[list[ProfiledRun]]:
    """Return the runs of each round after the warm-ups: that of the prompt, then that of each token."""
    runs = profile_runs(folder, table.threads, space, lambda decoder: run_rounds(decoder, table))
    size = 1 + table.new_tokens
    return [runs[start : start + size] for start in range(WARM_UPS * size, len(runs), size)]


def run_rounds(decoder: Decoder, table: Timetable) -> None:
    """Read a random prompt and add random tokens, `rounds` times after the warm-ups."""
    random = np.random.default_rng(0)
    for _ in range(WARM_UPS + table.rounds):
        read = decoder.start(table.prompt_tokens + table.new_tokens)
        read(random.integers(0, decoder.vocabulary, (1, table.prompt_tokens)))
        for _ in range(table.new_tokens):
            read(random.integers(0, decoder.vocabulary, (1, 1)))


def describe_phase(name: str, runs: Sequence[ProfiledRun], work: Mapping[str, Work], machine: Machine) -> Phase:
    nodes = take_medians(runs)
    return Phase(
        name,
        median(run.ms for run in runs),
        operators=group(nodes, work, machine, lambda node: node.operator),
        layers=group(nodes, work, machine, lambda node: name_layer(node.name)),
    )


def group(
    nodes: Iterable[NodeTime], work: Mapping[str, Work], machine: Machine, choose: Callable[[NodeTime], str]
) -> list[ProfileRow]:
    """Group nodes and add up what they take, the slowest group first."""
    groups: dict[str, list[NodeTime]] = {}
    for node in nodes:
        groups.setdefault(choose(node), []).append(node)
    rows = [make_row(name, members, work, machine) for name, members in groups.items()]
    return sorted(rows, key=lambda row: -row.ms)


def make_row(name: str, nodes: Sequence[NodeTime], work: Mapping[str, Work], machine: Machine) -> ProfileRow:
    each = [work.get(node.name, Work()) for node in nodes]
    limits = [machine.find_limit(one) for one in each]
    largest = max(limits)
    return ProfileRow(
        name,
        len(nodes),
        ms=sum(node.ms for node in nodes),
        bytes=sum(one.bytes for one in each),
        operations=sum(one.operations for one in each),
        limit_ms=sum(limit for limit, _ in limits),
        limited_by=largest[1] if largest[0] else "",
    )


def name_layer(node: str) -> str:
    """Return the part of the model that a node belongs to."""
    layer = LAYER.match(node)
    if layer:
        return layer[0]
    if node.startswith(("wte", "wpe")):
        return EMBEDDINGS
    return HEAD if node.startswith(("lm_head", "ln_f")) else OTHERS
