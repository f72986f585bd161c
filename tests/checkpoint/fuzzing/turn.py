"""One reader's turn: a number of inputs in this process, which ends with it if the reader crashes."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.checkpoint.fuzzing.attempt import Target, attempt, limit_space, limit_time
from tests.checkpoint.fuzzing.coverage import Coverage
from tests.checkpoint.fuzzing.damage import MOST_GROWTH, damage
from tests.checkpoint.fuzzing.inputs import FAILED, KEPT, forget_failure, load, note_failure, save
from tests.checkpoint.fuzzing.shown import Shown


@dataclass
class Turn:
    """Targets of a reader. `home` keeps the inputs that reached lines which none before reached, and the failures."""

    targets: list[Target]
    home: Path
    shown: Shown = field(default_factory=Shown)
    coverage: Coverage = field(default_factory=Coverage)

    def run(self, inputs: int, draw: random.Random) -> None:
        """Try new inputs, then those that failed, which may end the process."""
        with limit_time():
            known = [self.read_known(target) for target in self.targets]
            for number in range(1, inputs + 1):
                place = draw.randrange(len(self.targets))
                target, contents = self.targets[place], known[place]
                content = damage(draw.choice(contents), draw.choice(contents), draw)
                content = content[: len(target.seed) + MOST_GROWTH]
                if self.try_one(number, target, content) and self.coverage.new:
                    contents.append(content)
                    save(self.home / KEPT, target.name, content)
            for target in self.targets:
                for content in list(load(self.home / FAILED, target.name)):
                    if self.try_one(inputs, target, content):
                        forget_failure(self.home, target.name, content)

    def read_known(self, target: Target) -> list[bytes]:
        """Read what is known of a target once, which imports what its reader imports late; return it."""
        known = [target.seed, *load(self.home / KEPT, target.name)]
        for content in known:
            self.coverage.inputs = 0  # all of them are traced
            self.try_one(0, target, content)
        return known

    def try_one(self, number: int, target: Target, content: bytes) -> bool:
        """Try one input; return whether it is right, and keep it if it is not."""
        self.shown.show(number, self.coverage.reached, target.name, content)
        why = attempt(target, content, self.coverage)
        if why:
            note_failure(self.home, target.name, content, why)
        return not why


def run_limited(turn: Turn, inputs: int, draw: random.Random) -> None:
    """Run a turn in what is left of the address space, once what its reader imports late is there."""
    with limit_time():
        for target in turn.targets:
            attempt(target, target.seed, Coverage())
    limit_space()
    turn.run(inputs, draw)
