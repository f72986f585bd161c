"""Unusual places: a store that cannot be written, files that cannot be read, other file systems, odd and long names."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.disks import mount, small_disk
from tests.faults.harm import copy_fresh
from tests.faults.state import State, list_debris, read_tree, take_state
from tests.faults.test_damage import find_victims
from tests.workshop import UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow

HELD_TO_PERMISSIONS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")  # or they do not apply to root
OTHER = ("nano-cpu-int8", "--set", "quantization.granularity=64", "--name", "x")
ODD = (
    "with space",
    "Ünï ćødé 模型 🦊",
    "a\nb",
    "'quoted' \"twice\" $HOME `id` \\",
    "-dash",
    "x" * 200,
    "100%s {0}",
    "/".join(["d" * 200] * 15),
    os.fsdecode(b"caf\xe9"),
)


@pytest.fixture
def shop(tmp_path: Path, undisturbed: State, workshop: Workshop) -> Workshop:
    made = make_workshop(tmp_path / "here")
    copy_fresh(workshop.store, made.store)
    assert take_state(made, "nano-cpu-int8") == undisturbed
    return made


def start(shop: Workshop, *words: str) -> subprocess.CompletedProcess[str]:
    """Build as a user to whom permissions apply."""
    command = [sys.executable, "-m", "gpt2forge", "build", *words, *UNMEASURED]
    prefix = HELD_TO_PERMISSIONS if shutil.which("setpriv") else ()
    return subprocess.run([*prefix, *command], cwd=shop.folder, capture_output=True, text=True, check=False)


def check_read_only(shop: Workshop, undisturbed: State) -> None:
    done = start(shop, "nano-cpu-int8")
    assert done.returncode == 0, done.stderr
    assert read_tree(shop.folder / "build/nano-cpu-int8") == undisturbed.files
    refused = start(shop, *OTHER)
    assert refused.returncode == 1, refused.stderr
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: cache: cannot be written: ")
    assert refused.stderr.endswith(line + "\n")


def test_store_that_may_not_be_written(shop: Workshop, undisturbed: State, note: Note) -> None:
    folders = [path for path in (shop.store, *shop.store.rglob("*")) if path.is_dir()]
    for path in (*folders, *shop.store.glob("locks/*"), shop.store / "held"):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        check_read_only(shop, undisturbed)
    finally:
        for path in folders:
            path.chmod(0o755)
    note(
        "a store without permission to write, up to date and not",
        2,
        "an up-to-date build succeeds, another ends in one line",
    )


def test_store_on_a_read_only_file_system(shop: Workshop, undisturbed: State, note: Note) -> None:
    with mount(shop.store, "--bind", str(shop.store)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(shop.store)], check=True)
        check_read_only(shop, undisturbed)
    note(
        "a store on a read-only file system, up to date and not",
        2,
        "an up-to-date build succeeds, another ends in one line",
    )


def test_files_of_a_store_that_may_not_be_read_are_made_anew(
    shop: Workshop, undisturbed: State, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    for _ in range(count := rounds(2)):
        kind, paths = draw.choice(sorted(find_victims(shop.store, undisturbed.steps).items()))
        draw.choice(paths).chmod(0)
        done = start(shop, "nano-cpu-int8")
        assert done.returncode == 0, f"{kind}: {done.stderr}"
        assert read_tree(shop.folder / "build/nano-cpu-int8") == undisturbed.files, kind
        assert take_state(shop, "nano-cpu-int8") == undisturbed, kind
    note("a file of a store without permission to read it", count, "made again; the published files are the same bytes")


def test_store_on_another_file_system(tmp_path: Path, undisturbed: State, note: Note) -> None:
    with small_disk(tmp_path / "disk", "size=100m") as disk:
        shop = make_workshop(tmp_path / "here")
        assert take_state(shop, "nano-cpu-int8", "--store", str(disk / "cache")) == undisturbed
        assert list_debris(disk / "cache") == []
    note("a store on another file system than the output", 1, "the same bytes")


def test_working_directories_with_odd_names(
    shop: Workshop, tmp_path: Path, undisturbed: State, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    for name in draw.sample(ODD, count := min(len(ODD), rounds(3))):
        odd = make_workshop(tmp_path / name)
        copy_fresh(shop.store, odd.store)
        assert take_state(odd, "nano-cpu-int8", "--rerun", "convert") == undisturbed, name
        assert read_tree(odd.folder / "build/nano-cpu-int8") == undisturbed.files, name
    note(
        "working directories with spaces, a newline, quotes, other scripts, no UTF-8, names of 200 characters, and paths of 3000",
        count,
        "the same bytes",
    )


def test_names_that_are_too_long_end_in_one_line(shop: Workshop, note: Note) -> None:
    words = ("build", "nano-cpu-int8", "--name")
    shop.run(*words, "x" * 200)
    lengths = (245, 255, 256, 5000)
    for length in lengths:
        done = shop.run(*words, "x" * length, code=1)
        assert [line.split()[0] for line in done.stderr.splitlines()].count("error:") == 1
        assert done.stderr.splitlines()[-1].startswith("error: ")
    note(
        "outputs with names of 200 to 5000 characters",
        1 + len(lengths),
        "200 is published; names that the file system refuses end in one line",
    )
