"""The `gpt2forge` command in processes that are forked from a prepared one: starting an interpreter takes half a second.

The prepared process has imported the command line and the libraries that many commands import later, and has parsed the
modules that keys cover. It reads one request a line and answers with the exit code and the peak of memory. Imports,
terminals and signals at the start are tested in fresh processes.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LATER = ("joblib", "numpy", "tokenizers", "httpx2")
"""Libraries that commands import later, and that start no thread: a process that has several cannot be forked safely."""


class Prepared:
    """A handle of the prepared process of an interpreter, which runs one command at a time.

    `peak`: the most memory, in bytes, that a process of the last command had.
    """

    def __init__(self, python: str) -> None:
        self.peak = 0
        self.lock = threading.Lock()
        command = [python, "-m", "tests.prepared"]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # or numpy starts threads
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, words: Sequence[str], folder: Path, stdin: str = "", space: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `gpt2forge` with these words in a folder, with this process's environment and processors.

        `space` limits the addresses, in bytes, that each process of the command may use.
        """
        assert self.process.stdin and self.process.stdout
        with tempfile.TemporaryDirectory() as place, self.lock:
            files = {name: str(Path(place) / name) for name in ("stdin", "stdout", "stderr")}
            Path(files["stdin"]).write_text(stdin, encoding="utf-8", errors="surrogateescape")
            request = {
                "words": list(words),
                "folder": str(folder),
                **files,
                "space": space,
                "environment": dict(os.environ),
            }
            request["processors"] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            code, self.peak = map(int, self.process.stdout.readline().split())
            outputs = [Path(files[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(["gpt2forge", *words], code, *outputs)


def prepare() -> None:
    """Do once what every command would do again, and leave it in memory that forked processes share."""
    from gpt2forge import main  # noqa: F401
    from gpt2forge.cli import program
    from gpt2forge.plan.code import digest_code
    from gpt2forge.plan.key import find_modules
    from gpt2forge.stages.all_stages import STAGES
    from gpt2forge.store.stat_cache import StatCache

    for command in program.COMMANDS:
        program.load_command(command)
    for name in filter(find_spec, LATER):
        import_module(name)
    in_memory = StatCache(Path(os.devnull), is_read_only=True)
    for stage in STAGES:
        digest_code(find_modules(stage), in_memory)
    gc.freeze()


def main() -> None:
    prepare()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in os.fdopen(os.dup(0)):
        pid = os.fork()
        if pid == 0:
            answers.close()
            os._exit(run_request(json.loads(line)))
        _, status, usage = os.wait4(pid, 0)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(os.waitstatus_to_exitcode(status), peak, file=answers, flush=True)


def run_request(request: dict[str, Any]) -> int:
    """Run as `python -m gpt2forge` with the words, folder and streams of the request; return the exit code."""
    from gpt2forge import main

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(request[name], os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["space"]:
        resource.setrlimit(resource.RLIMIT_AS, (request["space"], request["space"]))
    if request["processors"]:
        os.sched_setaffinity(0, request["processors"])
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    sys.argv = [str(ROOT / "gpt2forge/__main__.py"), *request["words"]]
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
