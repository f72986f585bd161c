"""A child answers requests, reports its errors, and ends with its parent."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2forge.measure.child import Child, ChildEnded, ChildError

# It runs without site-packages (-S): an environment of other programs has none of the dependencies of gpt2forge.
PROGRAM = """
import os, sys, time
from gpt2forge.measure.child import serve

def answer(request, send):
    print("a library prints this")
    for number in range(request.get("events", 0)):
        send(number)
    time.sleep(request.get("sleep", 0))
    if "exit" in request:
        os._exit(request["exit"])
    return request["value"]

serve(answer)
"""
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-S", "-c", PROGRAM]


@pytest.fixture
def child() -> Iterator[Child]:
    with Child(COMMAND, cwd=ROOT, stderr=subprocess.DEVNULL) as made:
        yield made


def test_child_answers_each_request_with_its_result(child: Child) -> None:
    text = "ü\n" * 100_000  # far more than a pipe holds
    assert [child.ask({"value": value}) for value in (1, text, None)] == [1, text, None]


def test_events_come_before_the_result(child: Child) -> None:
    child.send({"value": "done", "events": 2})
    assert [child.receive() for _ in range(3)] == [("event", 0), ("event", 1), ("result", "done")]
    assert child.ask({"value": "done", "events": 2}) == "done"


def test_error_is_one_line_and_the_child_goes_on(child: Child) -> None:
    with pytest.raises(ChildError, match=r"^KeyError: 'value'$"):
        child.ask({})
    assert child.ask({"value": 1}) == 1


def test_end_of_a_child_is_its_exit_code(child: Child) -> None:
    with pytest.raises(ChildEnded, match="exit code 7"):
        child.ask({"exit": 7})
    with pytest.raises(ChildEnded):
        child.ask({"value": 1})


def test_parent_watches_while_it_waits(child: Child) -> None:
    seen: list[int] = []
    assert child.ask({"value": 1, "sleep": 0.2}, lambda: seen.append(child.process.pid))
    assert len(seen) > 1


def test_child_ends_in_the_middle_of_a_request_when_its_input_closes() -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b'{"value": 1, "sleep": 600}\n')
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_leaving_the_block_kills_the_child() -> None:
    with Child(COMMAND, cwd=ROOT) as child:
        child.send({"value": 1, "sleep": 600})
    assert child.process.returncode == -signal.SIGKILL
