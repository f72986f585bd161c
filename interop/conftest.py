"""Fixtures of the tests of all hosts: nano's published packages, and our own runtime's tokens for them."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt2forge.runtime.session import saturates
from interop.prompts import NEW, PROMPTS
from interop.reference import Continuation, continue_prompts
from tests.processors import take_share
from tests.workshop import Workshop, make_workshop

NANO = ("nano-cpu-fp32", "nano-cpu-int8", "nano-vnni-int8", "nano-cpu-int4")
CACHE = "nano-cpu-int8-cache"  # keys and values as int8, which not every host supports
FEW_ROWS = "nano-few-rows"  # weights per channel, which few tokens multiply in blocks
IN_BLOCKS = ("quantization.granularity=channel", "quantization.few_rows=blocks")
CACHED = (
    "quantization.kv_cache=int8",
    "calibration.text=examples/nano/calibration.txt",
    "calibration.tokens=2048",
)


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker its own processors, and let programs of the environments keep their byte code."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    take_share()


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Skip `target.cpu: vnni` on a processor that saturates, except in a browser, whose arithmetic is exact."""
    if not saturates():
        return
    for item in items:
        names = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if "nano-vnni-int8" in names and item.path.name != "test_web.py":
            item.add_marker(pytest.mark.skip(reason="this processor has no VNNI, which `nano-vnni-int8` is made for"))


def digest_files(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return make_workshop(tmp_path_factory.mktemp("workshop") / "here")


@pytest.fixture(scope="session")
def published(workshop: Workshop) -> Iterator[dict[str, Path]]:
    """Build nano's recipes, one with an int8 cache, and one with two products of each weight.

    Afterwards, check that no host has changed a byte of them.
    """
    folders = {name: workshop.build(name) for name in NANO}
    for name, changes in ((CACHE, CACHED), (FEW_ROWS, IN_BLOCKS)):
        words = (word for change in changes for word in ("--set", change))
        workshop.run("build", "nano-cpu-int8", "--name", name, *words)
        folders[name] = workshop.folder / "build" / name
    before = {name: digest_files(folder) for name, folder in folders.items()}
    yield folders
    assert {name: digest_files(folder) for name, folder in folders.items()} == before


@pytest.fixture(scope="session")
def expected(published: dict[str, Path]) -> dict[str, list[Continuation]]:
    """Return our own runtime's continuations by recipe, in the order of the prompts."""
    return {name: continue_prompts(folder, PROMPTS, NEW) for name, folder in published.items()}
