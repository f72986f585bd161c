"""Contestants as real processes: they end with whoever started them, and their end is explained."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("torch")

from gpt2forge.errors import UserError
from gpt2forge.measure import package_contestant
from gpt2forge.measure.speed import count_read_bytes
from gpt2forge.measure.turns import Contestant
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

LONG = 10_000  # tokens: a turn that nobody waits for

# Starts a contestant in a turn that takes long, prints its process id, and waits.
PROGRAM = f"""
import sys, time
from gpt2forge.measure.turns import Contestant
contestant = Contestant("gpt2forge.measure.package_contestant", sys.argv[1], threads=1, capacity={LONG + 1})
contestant.child.send({{"prompt": [1], "new": {LONG}}})
print(contestant.pid, flush=True)
time.sleep(600)
"""


def start(folder: Path) -> Contestant:
    return Contestant(package_contestant.__name__, folder, threads=1, capacity=16)


def test_contestant_takes_turns_and_its_memory_is_seen(workshop: Workshop) -> None:
    with start(workshop.build("nano-cpu-int8")) as contestant:
        contestant.warm_up([1, 2, 3], 2)
        turn = contestant.take_turn([1, 2, 3], 4)
        assert len(turn["text"]) == 4
        assert turn["prefill_ms"] > 0 < turn["token_ms"]
        assert contestant.peak.anonymous > 10e6
        assert contestant.load_s > 0


def test_contestant_that_is_killed_is_one_line(workshop: Workshop) -> None:
    with start(workshop.build("nano-cpu-int8")) as contestant:
        contestant.child.process.kill()
        contestant.child.process.wait()
        with pytest.raises(UserError) as error:
            contestant.take_turn([1], 2)
    assert str(error.value) == (
        "a process of `benchmark` was killed by SIGKILL; PyTorch needs at least 4 bytes of memory for each parameter: "
        "free some memory, or build with `--skip benchmark`"
    )


def test_contestant_that_fails_says_why_on_one_line(workshop: Workshop) -> None:
    with start(workshop.build("nano-cpu-int8")) as contestant:
        with pytest.raises(RuntimeError, match="a process of `benchmark` failed: ValueError: this process measures no"):
            contestant.measure_bandwidth(1)
        assert contestant.take_turn([1], 2)["text"]


def test_contestant_ends_in_the_middle_of_a_turn_when_who_started_it_is_killed(workshop: Workshop) -> None:
    command = [sys.executable, "-c", PROGRAM, str(workshop.build("nano-cpu-int8"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        orphan = psutil.Process(int(process.stdout.readline()))
        time.sleep(0.2)
        assert orphan.is_running()
        os.kill(process.pid, signal.SIGKILL)
    orphan.wait(timeout=10)


def test_a_token_reads_all_weights_but_single_rows_of_what_is_looked_up(workshop: Workshop) -> None:
    folder = workshop.build("nano-cpu-fp32")
    positions = 4 * 256 * 128
    assert count_read_bytes(folder) == 5_401_600 - positions


def test_who_measures_imports_no_pytorch() -> None:
    """Only the process of PyTorch does, which takes seconds for it."""
    program = "import sys, gpt2forge.measure.speed; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
