"""Inputs that change while they are read: an error that names them, or a build of one content, never a mixture."""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.faults.state import read_tree
from tests.workshop import ROOT, make_workshop

pytestmark = pytest.mark.slow

ONE, OTHER = b"hello ", b"HELLO "


def overwrite(path: Path, data: bytes) -> None:
    """Overwrite the file in place, in one step."""
    with path.open("r+b", buffering=0) as file:
        file.write(data)


def exchange(path: Path, data: bytes) -> None:
    """Put another file in its place."""
    path.with_name(f".{path.name}").write_bytes(data)
    path.with_name(f".{path.name}").replace(path)


def test_toy_build_of_a_source_that_changes(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    known, whole = {}, 0.0
    for name, data in (("one", ONE), ("other", OTHER)):
        (tmp_path / name / "source").mkdir(parents=True)
        (tmp_path / name / "source/a").write_bytes(data)
        started = time.monotonic()
        _, key, _ = forge.build(tmp_path / name)["gather"]
        known[key] = read_tree(tmp_path / name / "build/toy")
        whole = time.monotonic() - started
    refused = 0
    for number in range(count := rounds(5)):
        folder = tmp_path / f"{number}"
        (folder / "source").mkdir(parents=True)
        (folder / "source/a").write_bytes(ONE)
        change = draw.choice((overwrite, exchange))
        change_later = threading.Timer(draw.uniform(0, whole), change, (folder / "source/a", OTHER))
        change_later.start()
        forge.begin(folder)
        code, message = forge.hear(), (folder / "result").read_text()
        change_later.join()
        if code:
            assert code == 1, message
            assert f"{folder}/source" in message
            assert "changed while it was being read; build again when nothing writes to it" in message
            refused += 1
        (now,) = [key for key in known if known[key] == read_tree(tmp_path / "other/build/toy")]
        for record in (folder / "cache/records/gather").glob("*.json"):
            assert record.stem in known, change.__name__
        assert forge.build(folder)["gather"][1] == now
        assert read_tree(folder / "build/toy") == known[now]
    note(
        "a source of toy stages changed once at a random moment of the build, in place or by replacing it",
        count,
        "an error that names it, or a build of the old or the new content; the next build uses the new content",
    )


def test_real_conversion_of_a_checkpoint_that_changes(
    tmp_path: Path, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    shop = make_workshop(tmp_path / "here")
    checkpoint = shop.folder / "mine"
    shutil.copytree(ROOT / "examples/nano", checkpoint)
    hparams = checkpoint / "hparams.json"
    one = hparams.read_bytes()
    other = one.replace(b"{", b"{ ", 1)  # other bytes, same numbers: both can be built
    words = ("nano-cpu-int8", "--set", "source.checkpoint=mine", "--name", "mine", "--until", "convert")
    known = {}
    for data in (one, other):
        hparams.write_bytes(data)
        (step,) = shop.report(*words, "--store", "known")["steps"]
        known[step["key"]] = step["digest"]
    for number in range(count := rounds(2)):
        exchange(hparams, one)
        build = subprocess.Popen(
            [sys.executable, "-m", "gpt2forge", "build", *words, "--store", f"store-{number}"],
            cwd=shop.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(draw.uniform(0.1, 0.7))
        exchange(hparams, other)
        message = build.communicate()[1]
        assert build.returncode in (0, 1), message
        assert build.returncode == 0 or "error: mine" in message
        records = [path.stem for path in shop.folder.glob(f"store-{number}/records/convert/*.json")]
        assert set(records) <= set(known), message
        (step,) = shop.report(*words, "--store", f"store-{number}")["steps"]
        assert (step["key"], step["digest"]) == list(known.items())[1]
    note(
        "a file of a real checkpoint replaced at a random moment of its conversion",
        count,
        "an error that names it, or a conversion of the old or the new file; the next build uses the new file",
    )
