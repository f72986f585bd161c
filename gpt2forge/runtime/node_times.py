"""Times each node of a package in real runs, from the profile that ONNX Runtime writes of a session.

The profile is a JSON array of events. Each run of the graph is one event `model_run`; the events of its nodes lie
within it. https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html
"""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from gpt2forge.runtime.decoder import Decoder, describe_decoder
from gpt2forge.runtime.session import open_profiled

KERNEL = "_kernel_time"  # the end of the name of a node's event
BRANCH = "If"  # its time is that of the nodes in it, which have events of their own


@dataclass(frozen=True)
class NodeTime:
    """The time of one node in one run, in milliseconds."""

    name: str
    operator: str
    ms: float


@dataclass(frozen=True)
class ProfiledRun:
    """One run of the graph: its time in milliseconds and that of each node."""

    ms: float
    nodes: list[NodeTime] = field(default_factory=list)


def profile_runs(folder: Path, threads: int, space: Path, act: Callable[[Decoder], None]) -> list[ProfiledRun]:
    """Open a package, call `act` with its decoder, and return every run of the graph in order.

    The profile is written to the folder `space`.
    """
    session = open_profiled(folder, space / "profile", threads)
    act(describe_decoder(folder, session))
    return read_profile(json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")))


def read_profile(events: Iterable[Mapping[str, Any]]) -> list[ProfiledRun]:
    """Return the runs of a profile, each with its nodes."""
    known = list(events)
    whole = [event for event in known if event.get("cat") == "Session" and event["name"] == "model_run"]
    whole.sort(key=lambda event: event["ts"])
    starts = [event["ts"] for event in whole]
    runs = [ProfiledRun(event["dur"] / 1e3) for event in whole]
    for event in known:
        place = bisect_right(starts, event["ts"]) - 1
        if is_kernel(event) and place >= 0:
            runs[place].nodes.append(make_node_time(event))
    return runs


def is_kernel(event: Mapping[str, Any]) -> bool:
    """Return whether an event is the time of a node that computes something."""
    is_node = event.get("cat") == "Node" and str(event["name"]).endswith(KERNEL)
    return is_node and event.get("args", {}).get("op_name") != BRANCH


def make_node_time(event: Mapping[str, Any]) -> NodeTime:
    name = str(event["name"]).removesuffix(KERNEL)
    return NodeTime(name, str(event.get("args", {}).get("op_name", "")), event["dur"] / 1e3)


def take_medians(runs: Sequence[ProfiledRun]) -> list[NodeTime]:
    """Return the median time of each node over runs of equal work, in the order of the graph."""
    samples: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for node in run.nodes:
            samples.setdefault((node.name, node.operator), []).append(node.ms)
    return [NodeTime(name, operator, median(taken)) for (name, operator), taken in samples.items()]
