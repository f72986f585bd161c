"""What all tests share: patience with a slow machine, and one working directory with built examples."""

import pytest
from hypothesis import HealthCheck, settings

from tests.workshop import Workshop, make_workshop

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, help="how often each fault test tries; few times without it")
    parser.addoption("--seed", type=int, help="what the fault tests draw their moments and places from")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """One for all tests that only read what is built; a test that changes things makes its own."""
    return make_workshop(tmp_path_factory.mktemp("workshop") / "here")
