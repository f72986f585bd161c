"""A peer's process, and what is asked of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.peers.systems import HERE, System
from interop.environments import EnvironmentFault, make_python

ROOT = HERE.parent.parent  # no place of this machine is told


class PeerFault(Exception):
    """A peer cannot do what it was asked to; the message is what it said."""


@dataclass
class Peer:
    """A process that holds one system, and works in the folder `work`."""

    process: subprocess.Popen[str]
    work: Path

    def ask(self, do: str, **order: Any) -> Any:
        """Raises PeerFault with the peer's own error."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": name_end(self.process.wait())}
        if isinstance(answer, dict) and "error" in answer:
            raise PeerFault(answer["error"].replace(f"{self.work}/", "").replace(f"{ROOT}/", ""))
        return answer

    def count_reads(self) -> int:
        """How often it had to wait for a disk so far because a page of its memory was not there."""
        return read_faults(self.process.pid)


def read_faults(pid: int) -> int:
    """Major page faults of a process so far; 0 where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[9])


def name_end(code: int) -> str:
    """Why a process is no more."""
    if code == -signal.SIGKILL:
        return "was killed: it asked for more memory than the machine has"  # nothing else here sends that
    return f"ended with code {code}"


def offer_first(pid: int) -> None:
    """Where memory ends, the kernel is to end this process rather than the bench that would tell of it."""
    with suppress(OSError):  # of Linux alone
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


@contextmanager
def start(system: System, work: Path) -> Iterator[Peer]:
    """A peer's process; what it says beside its answers goes to a log in `work`.

    Its temporary files are in `work` too, and gone with it: one that crashes leaves a copy of all weights.
    """
    try:
        python = make_python(system.kind, HERE) if system.is_foreign else Path(sys.executable)
    except EnvironmentFault as error:
        raise PeerFault(str(error)) from error
    command = [str(python), str(HERE / "serve.py"), str(HERE / system.kind / "peer.py")]
    with TemporaryDirectory(dir=work) as temporary, (work / "log").open("a") as log:
        environment = os.environ | {"TMPDIR": temporary}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=work, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True
        ) as process:
            offer_first(process.pid)
            try:
                yield Peer(process, work)
            finally:
                process.kill()
