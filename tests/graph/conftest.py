"""Models that the tests of graphs share."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # importing it needs PyTorch, which not every test of graphs does
    from tests.graph.models import Tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> "Tiny":
    """A tied model that every pass takes."""
    from tests.graph.models import Shape, make_tiny

    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape(inner=52))
