"""Shared by all tests: settings for slow machines, and working directories with built examples."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.processors import every_processor, take_share
from tests.shared import share
from tests.workshop import FITTED, PROVEN, UNTIMED, Workshop, copy_workshop, make_workshop, own_checkpoint

if TYPE_CHECKING:  # importing it needs PyTorch, which not every test needs
    from tests.graph.models import Tiny

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

LONGEST = ("bench/test_bench.py", "test_stamp.py", "cli/test_calibration_section.py", "cli/test_build_command.py")
"""The test files that take longest. They start first, so that none is still running when all others are done."""


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker its own processors, and let the commands that tests start keep their byte code.

    Without byte code, half of a command's time is compiling.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    take_share()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of LONGEST first; all others stay in their order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture
def all_processors() -> Iterator[None]:
    """Let a test, and what it starts, use every processor that this run of pytest may use."""
    with every_processor():
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, help="rounds of each fault test; a few without it")
    parser.addoption(
        "--without-torch", action="store_true", help="skip tests that need PyTorch, which is not installed"
    )
    parser.addoption("--clusters", action="store_true", help="run tests that start clusters of worker processes")
    parser.addoption("--seed", type=int, help="random seed of the fault tests")


@pytest.fixture(scope="session")
def with_clusters(request: pytest.FixtureRequest) -> None:
    """Skip a test unless clusters of processes may be started, which takes long."""
    if not request.config.getoption("--clusters"):
        pytest.skip("starts a cluster of processes: `make test-remote`")


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Make a workshop in which `nano-cpu-int8` is built, unmeasured; to copy, not to change."""
    return Workshop(share(tmp_path_factory, "built", lambda folder: make_workshop(folder).build("nano-cpu-int8")))


@pytest.fixture(scope="session")
def measured_once(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    """Make a workshop in which PROVEN are measured too, on little text; to copy, not to change."""
    if find_spec("torch") is None:
        pytest.skip("measuring needs PyTorch")

    def fill(folder: Path) -> None:
        shop = copy_workshop(built_once, folder)
        for recipe in PROVEN:
            shop.prove(recipe)

    return Workshop(share(tmp_path_factory, "measured", fill))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    """Return a workshop for all tests that only read it; a test that changes it makes a copy."""
    return copy_workshop(built_once, tmp_path_factory.mktemp("workshop") / "here")


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, measured_once: Workshop) -> Workshop:
    """Return a workshop with measurements for all tests that only read it."""
    return copy_workshop(measured_once, tmp_path_factory.mktemp("measured") / "here")


@pytest.fixture(scope="session")
def fitted_once(tmp_path_factory: pytest.TempPathFactory, measured_once: Workshop) -> Workshop:
    """Make a workshop in which FITTED is measured too; to copy, not to change."""
    return Workshop(
        share(tmp_path_factory, "fitted", lambda folder: copy_workshop(measured_once, folder).prove(*FITTED, *UNTIMED))
    )


@pytest.fixture
def built(tmp_path: Path, built_once: Workshop) -> Workshop:
    """Make a workshop with its own checkpoint in which `nano-cpu-int8` is built, for one test to change."""
    shop = copy_workshop(built_once, tmp_path / "here")
    own_checkpoint(shop)
    shutil.rmtree(shop.store / "roots")  # they name the folder that this one was copied from
    shop.run("build", "nano-cpu-int8")
    return shop


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> "Tiny":
    """Make a small random model with tied embeddings that every pass supports."""
    from tests.graph.models import Shape, make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape(inner=52))
