"""The store and the source of the toy jobs."""

from pathlib import Path

import pytest

from gpt2forge.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"
