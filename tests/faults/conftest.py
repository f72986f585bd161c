"""What the fault tests share: how often to try, a seed, and the table of what was tried."""

import random
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.forge import Forge
from tests.faults.state import State, take_state
from tests.faults.table import Row, make_table
from tests.workshop import Workshop

Note = Callable[[str, int, str], None]
SEED = pytest.StashKey[int]()
PROPERTY = "fault"


def pytest_configure(config: pytest.Config) -> None:
    """The quick form tries the same every time, so that a change and not chance turns it red; the long form explores."""
    given, chance = config.getoption("--seed"), time.time_ns() % 1_000_000 if config.getoption("--rounds") else 1
    config.stash[SEED] = chance if given is None else given


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Gives how often to try: what `--rounds` says, else this few times."""
    return lambda few: int(request.config.getoption("--rounds") or few)


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """The same for the same seed and test, whatever else runs."""
    return random.Random(f"{request.config.stash[SEED]} {request.node.name}")


@pytest.fixture
def note(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Note:
    """Puts a test's row into the table: what was tried, how often, what came of it."""
    name = f"{request.node.path.stem}::{request.node.originalname}"
    return lambda what, times, came: record_property(PROPERTY, [name, what, times, came])


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    with Forge() as made:
        yield made


@pytest.fixture(scope="session")
def undisturbed(workshop: Workshop) -> State:
    """What the real command makes of nano when nothing disturbs it."""
    return take_state(workshop, "nano-cpu-int8")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    found = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if any("tests/faults/" in report.nodeid for report in reports):
        terminalreporter.section(f"faults that were tried; again with --seed {config.stash[SEED]}")
        terminalreporter.write(make_table([Row(*value) for value in found]))
