"""Sources that are swapped while they are read and put back afterwards: nothing of the one is kept under another's key."""

import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.store.store import Store
from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.swaps import exchange, relink

pytestmark = pytest.mark.slow

ONE, OTHER = "hello ", "HELLO "


def swap_link(place: Path) -> None:
    relink(place / "source", "above/one", "above/other")


def swap_folder(place: Path) -> None:
    exchange(place / "above/one", place / "above/other")


def swap_folder_above(place: Path) -> None:
    exchange(place / "above", place / "reversed")


def swap_file(place: Path) -> None:
    exchange(place / "above/one/a", place / "above/other/a")


WAYS = (swap_link, swap_folder, swap_folder_above, swap_file)


def make_sources(place: Path) -> None:
    """Make two sources, the same in reverse, and the link `source` to the first."""
    for above, names in (("above", ("one", "other")), ("reversed", ("other", "one"))):
        for name, text in zip(names, (ONE, OTHER), strict=True):
            (place / above / name).mkdir(parents=True)
            (place / above / name / "a").write_text(text)
    (place / "source").symlink_to("above/one")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder above may be swapped unseen")
def test_toy_build_of_a_source_that_is_swapped_and_put_back(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    known: dict[str, str] = {}
    for name, way in (("still", None), ("swapped", swap_link)):
        make_sources(tmp_path / name)
        if way:
            way(tmp_path / name)
        started = time.monotonic()
        _, key, known[key] = forge.build(tmp_path / name)["gather"]
        whole = time.monotonic() - started
    for number in range(count := rounds(len(WAYS))):
        folder, way = tmp_path / f"{number}", WAYS[number % len(WAYS)]
        make_sources(folder)
        moments = sorted(draw.uniform(0, whole) for _ in range(2))
        swaps = [threading.Timer(moment, way, (folder,)) for moment in moments]
        for swap in swaps:
            swap.start()
        forge.begin(folder)
        code, message = forge.hear(), (folder / "result").read_text()
        for swap in swaps:
            swap.join()
        assert code in (0, 1), message
        assert code == 0 or "changed while it was being read; build again when nothing writes to it" in message
        for record in Store(folder / "cache").records.list("gather"):
            assert known[record.key] == record.digest, way.__name__
    note(
        "a source of toy stages whose link, folder, folder above or file is swapped for another at a random moment of the "
        "build, and put back",
        count,
        "an error that names it, or a build; never anything of the one under the key of the other",
    )
