"""The `gpt2forge` command in processes that are forked from a prepared one: starting an interpreter takes half a second.

The prepared process has imported the command line, and nothing that a command imports later. It reads one order a line,
and answers with the exit code. What has to do with starting (imports, terminals, signals) is tested in fresh processes.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class Prepared:
    """The prepared process, as the tests see it; one command at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        command = [sys.executable, "-m", "tests.prepared"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, words: Sequence[str], folder: Path, stdin: str) -> subprocess.CompletedProcess[str]:
        """Run `gpt2forge` with these words in a folder, with this process's environment and processors."""
        assert self.process.stdin and self.process.stdout
        with tempfile.TemporaryDirectory() as place, self.lock:
            files = {name: str(Path(place) / name) for name in ("stdin", "stdout", "stderr")}
            Path(files["stdin"]).write_text(stdin, encoding="utf-8", errors="surrogateescape")
            order = {"words": list(words), "folder": str(folder), **files, "environment": dict(os.environ)}
            order["processors"] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            code = int(self.process.stdout.readline())
            said = [Path(files[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(["gpt2forge", *words], code, *said)


def main() -> None:
    from gpt2forge import main  # noqa: F401
    from gpt2forge.cli import program  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in os.fdopen(os.dup(0)):
        pid = os.fork()
        if pid == 0:
            answers.close()
            os._exit(carry_out(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers, flush=True)


def carry_out(order: dict[str, Any]) -> int:
    """Be `python -m gpt2forge` with these words, in that folder, with those streams; return its exit code."""
    from gpt2forge import main

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(order[name], os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(order["environment"])
    if order["processors"]:
        os.sched_setaffinity(0, order["processors"])
    os.chdir(order["folder"])
    sys.path[0] = order["folder"]
    sys.argv = [str(ROOT / "gpt2forge/__main__.py"), *order["words"]]
    try:
        main.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
