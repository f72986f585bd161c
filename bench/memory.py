"""Samples, from outside, the anonymous memory of a process and all it started."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL = 0.02  # seconds


def read_anonymous(process: psutil.Process) -> int:
    """Bytes of RssAnon now, 0 for a process that has gone; where there is no /proc, the unique set size."""
    try:
        if not Path("/proc/self/status").exists():
            return int(process.memory_full_info().uss)
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except (OSError, psutil.Error):
        pass
    return 0


def read_tree(pid: int) -> int:
    """The sum over a process and its descendants."""
    try:
        root = psutil.Process(pid)
        return sum(read_anonymous(process) for process in (root, *root.children(recursive=True)))
    except psutil.Error:
        return 0


@dataclass
class Sampler:
    """Keeps the largest sum seen while its `with` block runs."""

    pid: int
    peak: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def __enter__(self) -> "Sampler":
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def watch(self) -> None:
        while not self.stop.wait(INTERVAL):
            self.peak = max(self.peak, read_tree(self.pid))

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        if self.thread:
            self.thread.join()
