"""Pulls and pushes that are killed at a random moment."""

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.plan.job import Job
from gpt2forge.remote.entry import parse_entry
from gpt2forge.remote.signing import load_trusted
from tests.remote.conftest import Built
from tests.remote.team import PUBLIC, Machine, copy_level, summarize
from tests.toy.job import make_job

ROUNDS = 4
SIZE = 1 << 23  # bytes of the artifact that is exchanged


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path, Path]:
    """Build a toy job of a large text; return it with the store and the level that it was pushed to."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "source").mkdir()
    (folder / "source/a").write_text("x" * (SIZE // 2))
    (folder / "level").mkdir()
    job, machine = make_job(folder / "source"), Machine(folder / "store", [str(folder / "level")])
    machine.build(job)
    return job, machine.root, folder / "level"


def kill_within(seconds: float, act: Callable[[], object]) -> None:
    """Run a function in a forked process, and kill that after some seconds."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_killed_pull_does_no_harm(large: tuple[Job, Path, Path], tmp_path: Path) -> None:
    job, store, level = large
    draw = random.Random(1)
    for number in range(ROUNDS):
        machine = Machine(tmp_path / f"store{number}", [str(level)], secret=None)
        kill_within(draw.uniform(0, 0.15), lambda machine=machine: machine.build(job))  # type: ignore[misc]
        outcomes = machine.build(job)
        assert [each.outcome for each in outcomes] == ["reused"] * 3
        name = f"artifacts/{outcomes[-1].digest}/model.onnx"
        assert (machine.root / name).read_bytes() == (store / name).read_bytes()
        assert list((machine.root / "making").iterdir()) == []
        assert machine.warnings == []
        shutil.rmtree(machine.root)


def test_a_killed_push_leaves_no_record_without_its_files(large: tuple[Job, Path, Path], tmp_path: Path) -> None:
    job, store, whole = large
    draw = random.Random(2)
    copy_level(store, tmp_path / "store")
    shutil.rmtree(tmp_path / "store/stat_cache")  # it would remember what was pushed
    for number in range(ROUNDS):
        level = tmp_path / f"level{number}"
        level.mkdir()
        machine = Machine(tmp_path / "store", [str(level)])
        kill_within(draw.uniform(0, 0.2), lambda machine=machine: machine.build(job))  # type: ignore[misc]
        assert all(has_blobs(level, path) for path in level.glob("ac/*"))
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in level.glob("cas/*"))
        machine.build(job)
        assert sorted(path.name for path in level.glob("*s/*")) == sorted(path.name for path in whole.glob("*s/*"))
        assert machine.warnings == []
        shutil.rmtree(level)


def has_blobs(level: Path, path: Path) -> bool:
    for stage in ("gather", "repeat", "pack"):
        try:
            entry = parse_entry(path.read_bytes(), stage=stage, key=path.name, trusted=load_trusted([PUBLIC]))
        except ValueError:
            continue
        return all((level / "cas" / blob.digest).stat().st_size == blob.size for blob in entry.tree.blobs)
    return False


def test_a_level_is_left_as_it_was_by_whoever_only_reads(built_toy: Built, machine: Machine, level: Path) -> None:
    def stat_all() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in level.rglob("*"))

    before = stat_all()
    reader = Machine(machine.root, machine.levels, secret=None)
    assert summarize(reader.build(built_toy.job))[-1] == ("pack", "reused", True)
    assert stat_all() == before
