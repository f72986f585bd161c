"""Lets the readers take turns, each in a child process, so that a crash in a library of C is one failure and no more."""

import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.checkpoint.fuzzing.inputs import note_failure
from tests.checkpoint.fuzzing.readers import Reader, make_targets
from tests.checkpoint.fuzzing.shown import Shown
from tests.checkpoint.fuzzing.tally import Tally
from tests.checkpoint.fuzzing.turn import Turn, run_limited

TURN = 2_000  # inputs
STEP = 0.1  # seconds between two looks at a child
EVERY = 10.0  # seconds between two lines of progress
PATIENCE = 30.0  # seconds without a new input, after which a child hangs


class FuzzerFault(Exception):
    """The fuzzer itself failed, not a reader."""


@dataclass
class Campaign:
    """Wants `wanted` inputs of each reader, and keeps what it learns in `home`."""

    samples: Path
    home: Path
    readers: Mapping[str, Reader]
    wanted: int
    seed: int
    tally: Tally
    began: float = field(default_factory=time.monotonic)
    tried: int = 0
    shown: Shown = field(default_factory=Shown)

    def run(self) -> None:
        """Let the readers take turns until each has had as many inputs as are wanted. Raises FuzzerFault."""
        while names := [name for name in self.readers if self.tally.count(name) < self.wanted]:
            for name in names:
                self.take_turn(name, min(TURN, self.wanted - self.tally.count(name)))

    def take_turn(self, name: str, inputs: int) -> None:
        """Fuzz one reader in a child process, and note how far it came."""
        began = time.monotonic()
        self.shown.show(0, 0)
        with tempfile.TemporaryDirectory() as place:
            child = os.fork()
            if child == 0:
                os._exit(self.work(name, inputs, Path(place)))
            try:
                code = self.watch(child, name)
            finally:
                number, lines = self.shown.count()
                number = max(number, 1)  # a process that ended at a known input must not be started without end
                self.tally.add(name, number, time.monotonic() - began, lines)
                self.tally.save(self.home / "tally.json")
                self.tried += number
        if code > 0:
            raise FuzzerFault(f"the turn of `{name}` failed (see above)")
        if code < 0:
            note_failure(self.home / name, *self.shown.read(), f"the process ended with {signal.Signals(-code).name}")
        self.report(name, 0)

    def work(self, name: str, inputs: int, place: Path) -> int:
        """Fuzz one reader in this process; return its exit code."""
        try:
            draw = random.Random(f"{self.seed} {name} {self.tally.count(name)}")
            turn = Turn(make_targets(self.samples, place, self.readers[name]), self.home / name, self.shown)
            run_limited(turn, inputs, draw)
        except KeyboardInterrupt:
            return 0
        except BaseException:
            traceback.print_exc()
            return 1
        return 0

    def watch(self, child: int, name: str) -> int:
        """Return a child's exit code once it has ended, negative after a signal; kill it if it hangs."""
        number, changed, told = 0, time.monotonic(), time.monotonic()
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(STEP)
            now = time.monotonic()
            if (latest := self.shown.count()[0]) != number:
                number, changed = latest, now
            if now - changed > PATIENCE:
                os.kill(child, signal.SIGKILL)
            if now - told > EVERY:
                told = now
                self.report(name, number)

    def report(self, name: str, running: int) -> None:
        """Print how far the run is, its rate, and an estimate of the time that is left."""
        total = self.wanted * len(self.readers)
        done = running + sum(min(self.tally.count(each), self.wanted) for each in self.readers)
        rate = (self.tried + running) / (time.monotonic() - self.began)
        left = f"{(total - done) / rate / 60:.0f} min left" if rate else "no rate yet"
        print(f"{done} of {total} inputs, {rate:.0f} a second, {left}: {name}", flush=True)
