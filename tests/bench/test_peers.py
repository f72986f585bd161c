"""The runs of a system that are kept, and the end of its process."""

import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from bench.goals import BLOCKS
from bench.peers.measure import READS, Samples
from bench.peers.process import describe_end, read_faults, start
from bench.peers.systems import SYSTEMS
from bench.plan import SHORT, Run

TOLD = {"prefill_ms": 3.0, "token_ms": 2.0, "text": [1]}


def test_run_that_waited_for_a_disk_is_not_kept() -> None:
    samples = Samples()
    for reads in (0, READS, READS + 1):
        samples.keep(Run(SHORT, 9, 3), TOLD, reads, limit=1.5)
    assert (samples.taken["token_ms"], samples.paged) == ({str(SHORT): [2.0, 2.0]}, 1)
    assert samples.taken["limit_share"] == {str(SHORT): [0.75, 0.75]}


def test_faults_are_those_of_the_kernel() -> None:
    import resource

    assert read_faults(os.getpid()) == resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def find_temporary_folder(pid: int) -> Path:
    """Return the process's TMPDIR, as soon as the process has an environment: not before it has begun."""
    while not (environment := Path(f"/proc/{pid}/environ").read_bytes()):
        time.sleep(0.01)
    words = environment.decode().split("\0")
    return Path(next(word for word in words if word.startswith("TMPDIR=")).removeprefix("TMPDIR="))


def test_temporary_files_end_with_the_system_that_left_them(tmp_path: Path) -> None:
    with start(SYSTEMS[BLOCKS], tmp_path) as peer:
        place = find_temporary_folder(peer.pid)
        (place / "weights").write_text("left behind")
    assert place.parent == tmp_path and not place.exists()


def test_end_is_named() -> None:
    assert "more memory than the machine has" in describe_end(-signal.SIGKILL)
    assert describe_end(-signal.SIGSEGV) == "ended with code -11"
