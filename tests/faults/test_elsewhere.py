"""Nothing leaves the machine, and nothing is written below the home folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.workshop import Workshop, copy_workshop

pytestmark = pytest.mark.slow

# onnxruntime looks up a host some nine seconds after it was imported.
GENERATE = "import sys, time, gpt2forge; gpt2forge.load(sys.argv[1]).generate('def', 8); time.sleep(11)"


def watch(words: Sequence[str], *, cwd: Path, home: Path, trace: Path) -> subprocess.Popen[str]:
    """Start a command without a network, in a home of its own; `trace` lists what it and its children connect to."""
    strace = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(trace))
    command = ("unshare", "--net", *strace, sys.executable, *words)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment | {"HOME": str(home)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def test_nothing_is_looked_up_or_written_elsewhere(
    built_once: Workshop, tmp_path: Path, rounds: Callable[[int], int], note: Note
) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("strace"):
        pytest.skip("needs root, unshare and strace")
    shop = copy_workshop(built_once, tmp_path / "here")
    home, tokens = tmp_path / "home", 32768 if rounds(1) > 1 else 1024
    home.mkdir()
    changes = ("--set", f"verify.tokens={tokens}", "--set", "verify.max_perplexity_increase=2%")
    build = ("build", "nano-cpu-int8", "--name", "x", *changes, "--skip", "benchmark")
    package = str(shop.folder / "build/nano-cpu-int8")
    programs = (("-m", "gpt2forge", *build), ("-c", GENERATE, package))
    traces = [tmp_path / f"trace-{number}" for number in range(len(programs))]
    started = [
        watch(words, cwd=shop.folder, home=home, trace=trace) for words, trace in zip(programs, traces, strict=True)
    ]
    for process in started:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert [path for path in home.rglob("*") if not path.is_dir()] == []
    for trace in traces:
        assert [line for line in trace.read_text().splitlines() if "AF_INET" in line or "sendmmsg" in line] == []
    note(
        "a build with `verify`, and a program that generates text, longer than onnxruntime waits before it reports",
        len(programs),
        "nothing was looked up, connected to, or written below the home folder",
    )
