"""Runs many command lines in one process: JSON in, JSON out. A test starts it in the environment without PyTorch."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from gpt2forge.cli.program import run


def run_all(lines: list[list[str]]) -> list[tuple[int, str, str]]:
    """Return the exit code, stdout and stderr of each command."""
    return [run_one(words) for words in lines]


def run_one(words: list[str]) -> tuple[int, str, str]:
    with redirect_stdout(io.StringIO()) as written, redirect_stderr(io.StringIO()) as messages:
        code = run(words)
    return code, written.getvalue(), messages.getvalue()


if __name__ == "__main__":
    found = run_all(json.load(sys.stdin))
    imported = sorted({name.partition(".")[0] for name in sys.modules})
    json.dump({"found": found, "imported": imported}, sys.stdout)
