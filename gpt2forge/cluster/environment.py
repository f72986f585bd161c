"""Describes what decides which steps a worker may run, and the resources by which Dask matches the two.

A worker that was started with `--preload gpt2forge.cluster.preload` offers these resources, and a step asks for them:

1. MEMORY, in bytes.
2. A label of its environment: the code of gpt2forge and the versions of all tools. A step asks for that of its client,
   so a worker with other versions gets no step.
3. A label for each fact of its machine that may be part of a key: host, processor, threads. A step asks for those that
   its key has.
4. MEASURE, if the worker was started with `--resources MEASURE=1`. A step that must run alone on its machine asks for
   it. As a worker has one, two such steps never run on it at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gpt2forge
from gpt2forge.digest import digest_file, digest_value
from gpt2forge.executor.task import Task
from gpt2forge.plan.machine import Machine, read_machine
from gpt2forge.plan.tools import Versions, find_version
from gpt2forge.stages.all_stages import STAGES

MEMORY, MEASURE = "MEMORY", "MEASURE"
PLENTY = float(1 << 20)  # of a label: it limits nothing
SHORT = 12  # hexadecimal digits


@dataclass(frozen=True)
class Environment:
    """The digest of gpt2forge's sources, the versions of all tools, and the facts of the machine."""

    code: str
    tools: Versions
    machine: Machine

    @property
    def label(self) -> str:
        """The label by rule 2."""
        return name_label("gpt2forge", [self.code, dict(self.tools)])

    @property
    def labels(self) -> list[str]:
        """All labels that a worker offers."""
        return [self.label, *(name_label(fact, value) for fact, value in asdict(self.machine).items())]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def name_label(what: str, value: Any) -> str:
    return f"{what}-{digest_value(value)[:SHORT]}"


def read_environment() -> Environment:
    """Read the environment of this process."""
    folder = Path(gpt2forge.__file__).parent
    sources = {path.relative_to(folder).as_posix(): digest_file(path) for path in sorted(folder.rglob("*.py"))}
    tools = sorted({tool for stage in STAGES for tool in stage.tools})
    return Environment(digest_value(sources), {tool: find_version(tool) for tool in tools}, read_machine())


def parse_environment(value: Mapping[str, Any]) -> Environment:
    """Return the environment that `to_json` described."""
    return Environment(value["code"], value["tools"], Machine(**value["machine"]))


def list_differences(other: Environment, ours: Environment) -> list[str]:
    """Describe how the code and the tools of another environment differ from ours."""
    names = {name: (other.tools.get(name), version) for name, version in ours.tools.items()}
    tools = [
        f"{f'{name} {there}' if there else f'no {name}'} in place of {here or 'none'}"
        for name, (there, here) in names.items()
        if there != here
    ]
    return [*(["another gpt2forge"] if other.code != ours.code else []), *tools]


def list_labels(task: Task, label: str) -> list[str]:
    """List what a worker must offer, besides memory, to run a task of a client with this label (rules 2 to 4)."""
    facts = [name_label(fact, task.pre_image[fact]) for fact in Machine.__annotations__ if fact in task.pre_image]
    return [label, *facts, *([MEASURE] if task.stage.alone else [])]


@dataclass(frozen=True)
class WorkerOffer:
    """A worker of a cluster: its address, its name, and the resources that it offers."""

    address: str
    name: str
    resources: Mapping[str, float]

    def offers(self, labels: Sequence[str]) -> bool:
        """Return whether it may run a step that asks for these labels."""
        return MEMORY in self.resources and all(label in self.resources for label in labels)
