"""Clusters of real processes on loopback: a scheduler, and workers that nannies start again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.workshop import ROOT

PATIENCE = 60.0  # seconds
FILE = "scheduler.json"
OPTIONS = ("--nthreads", "1", "--memory-limit", "2GB", "--no-dashboard", "--death-timeout", "30")
PRELOAD = ("--preload", "gpt2forge.cluster.preload")
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass
class Cluster:
    """A scheduler at an address, and the processes of its workers by name, which keep their files in `folder`."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add_worker(self, name: str, *words: str, environment: Mapping[str, str] = NONE, preload: bool = True) -> None:
        """Start a worker with one thread, and a nanny that starts it again."""
        loaded = PRELOAD if preload else ()
        command = (self.address, "--name", name, *OPTIONS, *loaded, "--local-directory", str(self.folder / name))
        self.processes[name] = start("dask_worker", *command, *words, environment=environment)

    def add_stranger(self, name: str, hidden: Path) -> None:
        """Start a worker that runs in a folder of its own, `name` below that of the cluster, and finds nothing in one.

        It shares no file with a build in that folder, as if it were another machine.
        """
        own = self.folder / name
        own.mkdir()
        command = (self.address, "--name", name, *OPTIONS, *PRELOAD)
        self.processes[name] = start("dask_worker", *command, folder=own, hidden=hidden)

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers have joined."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=PATIENCE)

    def kill_scheduler(self) -> None:
        """Kill the scheduler. Its workers end some time later, as Dask's do."""
        self.scheduler.kill()
        self.scheduler.wait(PATIENCE)

    def start_scheduler_again(self) -> None:
        """Start a scheduler at the address of the killed one."""
        self.scheduler = start_scheduler(self.folder, self.address.rpartition(":")[2])

    def end(self) -> None:
        processes = [*self.processes.values(), self.scheduler]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE)


def start(
    module: str, *words: str, environment: Mapping[str, str] = NONE, folder: Path = ROOT, hidden: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program of Dask's, which finds gpt2forge and its tests in this repository.

    It runs in `folder`, and sees an empty folder in place of `hidden`.
    """
    paths = [path for path in (environment.get("PYTHONPATH"), str(ROOT)) if path]
    variables = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(paths)}
    hide = ("unshare", "-rm", "sh", "-c", 'mount -t tmpfs tmpfs "$0" && exec "$@"', str(hidden)) if hidden else ()
    command = [*hide, sys.executable, "-m", f"distributed.cli.{module}", *words]
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def start_cluster(folder: Path, workers: Sequence[str] = (), *words: str) -> Iterator[Cluster]:
    """Start a scheduler, and workers of these names with these options; end them at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster("", folder, start_scheduler(folder))
    try:
        cluster.address = json.loads((folder / FILE).read_text())["address"]
        for name in workers:
            cluster.add_worker(name, *words)
        if workers:
            cluster.wait_for_workers(len(workers))
        yield cluster
    finally:
        cluster.end()


def start_scheduler(folder: Path, port: str = "0") -> subprocess.Popen[bytes]:
    """Start a scheduler on a free port, or on this one, and wait until it answers."""
    file = folder / FILE
    file.unlink(missing_ok=True)
    options = ("--host", "127.0.0.1", "--port", port, "--no-dashboard", "--no-show", "--scheduler-file", str(file))
    process = start("dask_scheduler", *options)
    wait_until(lambda: file.is_file() and file.read_text().strip() != "")
    return process


def wait_until(is_true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not is_true():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.05)
