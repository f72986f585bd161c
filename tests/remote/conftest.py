"""A folder in which one machine has built and pushed a toy job."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.job import Job
from tests.remote.team import Machine, copy_level
from tests.toy.job import make_job


@dataclass(frozen=True)
class Built:
    """A toy job, its outcomes, the store in which it was built, and the folder that it was pushed to."""

    job: Job
    outcomes: list[Outcome]
    store: Path
    level: Path

    def find(self, stage: str) -> Outcome:
        return next(each for each in self.outcomes if each.stage == stage)


@pytest.fixture(scope="session")
def built_toy(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build a toy job and push it to a folder; to copy, not to change."""
    folder = tmp_path_factory.mktemp("team")
    level = folder / "level"
    level.mkdir()
    machine = Machine(folder / "store", [str(level)])
    job = make_job(folder / "source")
    outcomes = machine.build(job)
    assert machine.warnings == []
    return Built(job, outcomes, machine.root, level)


@pytest.fixture
def level(built_toy: Built, tmp_path: Path) -> Path:
    """Copy the folder that the toy job was pushed to."""
    return copy_level(built_toy.level, tmp_path / "level")


@pytest.fixture
def machine(level: Path, tmp_path: Path) -> Machine:
    """Return another machine, with an empty store and a copy of that folder behind it."""
    return Machine(tmp_path / "store", [str(level)])
