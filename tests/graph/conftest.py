"""Models that the tests of graphs share."""

import pytest

from tests.graph.models import Shape, Tiny, make_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A tied model that every pass takes."""
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape(inner=52))
