"""Shared by the fault tests: the number of rounds, a random seed, and the table of results."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.forge import Forge
from tests.faults.state import State, take_state
from tests.faults.table import Row, make_table
from tests.workshop import Workshop

Note = Callable[[str, int, str], None]
SEED = pytest.StashKey[int]()
PROPERTY = "fault"


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed: fixed in a quick run, so that only a change makes it fail; by the clock in a long run."""
    given, chance = config.getoption("--seed"), time.time_ns() % 1_000_000 if config.getoption("--rounds") else 1
    config.stash[SEED] = chance if given is None else given


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Return a function that returns the number of rounds: that of `--rounds`, else its argument."""
    return lambda few: int(request.config.getoption("--rounds") or few)


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Return a generator that depends only on the seed and the name of the test."""
    return random.Random(f"{request.config.stash[SEED]} {request.node.name}")


@pytest.fixture
def note(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Note:
    """Return a function that adds the test's row to the table: the fault, the rounds and the result."""
    name = f"{request.node.path.stem}::{request.node.originalname}"
    return lambda what, times, result: record_property(PROPERTY, [name, what, times, result])


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    with Forge() as made:
        yield made


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that other users may enter. They may not enter those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def undisturbed(workshop: Workshop) -> State:
    """Return the state after an undisturbed build of nano with the real command."""
    return take_state(workshop, "nano-cpu-int8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    found = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if any("tests/faults/" in report.nodeid for report in reports):
        terminalreporter.section(f"faults that were tried; again with --seed {config.stash[SEED]}")
        terminalreporter.write(make_table([Row(*value) for value in found]))
