"""The facts of a machine that enter the keys of steps which depend on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2forge.measure.host import describe_host, describe_processor, describe_threads


@dataclass(frozen=True)
class Machine:
    """All facts of a machine, then its processor and its threads alone, as gpt2forge.measure.host describes them."""

    host: Mapping[str, Any]
    processor: str
    threads: str


def read_machine() -> Machine:
    """Read the facts of this machine."""
    return Machine(describe_host(), describe_processor(), describe_threads())
