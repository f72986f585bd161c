"""Toy builds in processes that can be killed: forked from a prepared one, because starting interpreters takes too long.

The prepared process answers a request (see gpt2forge.measure.child) with the event of the build's process id, then with
its exit code.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from gpt2forge.builder.publish import publish
from gpt2forge.errors import is_fixable
from gpt2forge.measure.child import Child, Send, serve
from gpt2forge.stages import worker
from gpt2forge.store.gc import collect
from gpt2forge.store.roots import register
from gpt2forge.store.store import Store
from tests.toy.job import make_job, run
from tests.workshop import ROOT

GROUP = 4000  # of all users that build
MOST = 256  # open descriptors of a build, at most


class Forge:
    """A handle of the prepared process."""

    def __enter__(self) -> "Forge":
        self.child = Child([sys.executable, "-m", "tests.faults.forge"], cwd=ROOT, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.child.__exit__(kind, error, trace)

    def begin(self, folder: Path, **request: Any) -> int:
        """Start a build in a folder and return its process id; `run_build` lists what a request may contain."""
        self.child.send({"folder": str(folder), **request})
        return self.hear()

    def hear(self) -> int:
        """Return the next number that the process sends: after `begin`, the exit code once the build has ended."""
        return int(self.child.receive()[1])

    def build(self, folder: Path, **request: Any) -> dict[str, list[str]]:
        """Build to the end, which must succeed; return outcome, key and digest by stage."""
        self.begin(folder, **request)
        code = self.hear()
        result = (folder / "result").read_text() if (folder / "result").exists() else "no result"
        assert code == 0, f"{code}: {result}"
        found: dict[str, list[str]] = json.loads(result)
        return found


class Forked:
    """The part of subprocess.Popen that gpt2forge uses, by fork alone; the process is the real worker."""

    def __init__(self, command: Sequence[str], stdout: int, pass_fds: Sequence[int], **rest: Any) -> None:
        order, stdin = os.pipe()
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(work(order, stdout, pass_fds))
        os.close(order)
        self.stdin = os.fdopen(stdin, "wb")

    def wait(self) -> int:
        if self.code is None:
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def kill(self) -> None:
        if self.code is None:
            os.kill(self.pid, 9)


def work(order: int, output: int, kept: Sequence[int]) -> int:
    """Run as a worker with the same descriptors as a started one."""
    for number, place in ((order, 0), (output, 1), (output, 2)):
        os.dup2(number, place)
    for number in range(3, MOST):
        if number not in kept:
            with suppress(OSError):
                os.close(number)
    sys.stdin = os.fdopen(0, closefd=False)
    try:
        return worker.main()
    except BaseException:
        traceback.print_exc()
        return 1


def run_build(
    folder: Path,
    source: str = "source",
    collects: bool = False,
    times: int = 2,
    user: int | None = None,
    limits: Mapping[str, int] = MappingProxyType({}),
) -> int:
    """Build and publish as the command does; with `collects`, then remove leftovers as `store gc` does.

    `user` builds, and keeps all from others (umask 077): GROUP is its only group. `limits` are those of setrlimit(2), by
    name.
    """
    if user is not None:
        become(user)
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, name), (most, most))
    store, output = Store(folder / "cache"), folder / "build/toy"
    try:
        with store.hold():
            outcomes = run(make_job(folder / source, times), store)
            steps, package = {each.stage: str(each.digest) for each in outcomes}, str(outcomes[-1].digest)
            register(store, output, recipe="toy", steps=steps, package=package)
            publish(output, store.artifacts.folder(package))
        if collects:
            collect(store, [], limit=None)
    except Exception as error:
        assert is_fixable(error), error
        write_result(folder, str(error))
        return 1
    write_result(folder, json.dumps({each.stage: [each.outcome, each.key, each.digest] for each in outcomes}))
    return 0


def become(user: int) -> None:
    """Give up the rights of root, after a build has imported what only root may be able to read."""
    with tempfile.TemporaryDirectory() as folder:
        run(make_job(Path(folder, "source")), Store(Path(folder, "cache")))
    os.umask(0o077)
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(user)


def write_result(folder: Path, text: str) -> None:
    with suppress(OSError):  # the build may have filled the disk
        (folder / "result").write_text(text)


def answer(request: dict[str, Any], send: Send) -> int:
    """Fork a build, send its process id, and return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            code = run_build(Path(request.pop("folder")), **request)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    send(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    subprocess.Popen = Forked  # type: ignore[assignment, misc]
    serve(answer)


if __name__ == "__main__":
    main()
