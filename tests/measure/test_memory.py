"""Memory of a process tree, measured on real processes."""

import os
import subprocess
import sys

from gpt2forge.measure.memory import measure_anonymous

SIZE = 64 << 20
# A parent and its child each hold a block; the child reports that it is ready.
PROGRAM = f"""
import os, subprocess, sys
block = b"x" * {SIZE}
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]])
else:
    print("ready", flush=True)
sys.stdin.read()
"""


def test_children_count_and_mapped_files_do_not() -> None:
    command = [sys.executable, "-c", PROGRAM, PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin
        assert process.stdout.readline() == "ready\n"
        held = measure_anonymous(process.pid)
        process.stdin.close()
    assert 2 * SIZE < held < 2.5 * SIZE


def test_process_that_has_gone_counts_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert measure_anonymous(process.pid) == 0
    assert measure_anonymous(os.getpid()) > 0
