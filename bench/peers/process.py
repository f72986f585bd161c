"""A peer's process, and the questions that it answers."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.commands import ROOT
from bench.peers.systems import HERE, System
from gpt2forge.measure.child import Child, ChildEnded, ChildError
from interop.environments import EnvironmentFault, make_python

LONGEST = 300  # characters of an error


class PeerFault(Exception):
    """A peer failed at what it was asked; the message is its own, in one line."""


@dataclass
class Peer:
    """A process that holds one system, and works in the folder `work`."""

    child: Child
    work: Path

    @property
    def pid(self) -> int:
        return self.child.process.pid

    def ask(self, do: str, watch: Callable[[], None] | None = None, **values: Any) -> Any:
        """Return the peer's answer. Raises PeerFault with its error, which names no place of this machine."""
        try:
            return self.child.ask({"do": do, **values}, watch)
        except (ChildError, ChildEnded) as error:
            message = describe_end(error.code) if isinstance(error, ChildEnded) else str(error)
            raise PeerFault(message[:LONGEST].replace(f"{self.work}/", "").replace(f"{ROOT}/", "")) from error

    def count_reads(self) -> int:
        """Return how often the process has waited for a disk because a page of its memory was missing."""
        return read_faults(self.pid)


def read_faults(pid: int) -> int:
    """Return the major page faults of a process so far; 0 where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[9])


def describe_end(code: int) -> str:
    """Return why a process ended, in words."""
    if code == -signal.SIGKILL:
        return "was killed: it asked for more memory than the machine has"  # nothing else here sends this signal
    return f"ended with code {code}"


@functools.cache
def find_python(kind: str) -> Path | EnvironmentFault:
    """Return the interpreter of a peer's environment, or why it cannot be made, which takes minutes to find out.

    A system that is no peer has the environment that `interop/` makes for it.
    """
    try:
        return make_python(kind, HERE if (HERE / kind).is_dir() else None)
    except EnvironmentFault as fault:
        return fault


@contextmanager
def start(system: System, work: Path, writer: str | None = None) -> Iterator[Peer]:
    """Start a peer's process, or that of a writer in the same environment; its standard error goes to a log in `work`.

    Its temporary files are in `work` too, and are removed with it: a peer that crashes leaves a copy of all weights.
    """
    python = find_python(system.kind) if system.is_foreign else sys.executable
    if isinstance(python, EnvironmentFault):
        raise PeerFault(str(python))
    words = ("bench.writers.serve", writer) if writer else ("bench.peers.serve", system.kind)
    command = [str(python), "-P", "-m", *words]
    with TemporaryDirectory(dir=work) as temporary, (work / "log").open("a") as log:
        environment = os.environ | {"TMPDIR": temporary, "PYTHONPATH": str(ROOT)}
        with Child(command, cwd=work, env=environment, stderr=log) as child:
            with suppress(OSError):  # on Linux, the kernel kills this process first, and not the bench, without memory
                Path(f"/proc/{child.process.pid}/oom_score_adj").write_text("1000")
            yield Peer(child, work)
