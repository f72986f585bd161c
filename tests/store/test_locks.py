"""Lock files of keys do not accumulate, and removing one never lets two processes hold a key."""

import fcntl
import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from gpt2forge.store.locks import KEY, lock_key, remove_idle_locks
from tests.store.made import KEY as DIGEST

ROUNDS = 300


def count(root: Path, done: Event) -> None:
    """Add to a number that only the holder of the key may touch, again and again."""
    for _ in range(ROUNDS):
        with lock_key(root, DIGEST):
            path = root / "number"
            path.write_text(str(int(path.read_text()) + 1))
    done.set()


def test_removing_idle_locks_lets_no_two_processes_hold_a_key(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    context = multiprocessing.get_context("fork")
    done = [context.Event() for _ in range(3)]
    workers = [context.Process(target=count, args=(tmp_path, each)) for each in done]
    for worker in workers:
        worker.start()
    while not all(each.is_set() for each in done) and any(worker.is_alive() for worker in workers):
        remove_idle_locks(tmp_path)
    for worker in workers:
        worker.join()
    assert (tmp_path / "number").read_text() == str(3 * ROUNDS)
    remove_idle_locks(tmp_path)
    assert list((tmp_path / "locks").iterdir()) == []


def test_lock_that_is_held_and_file_of_a_stranger_stay(tmp_path: Path) -> None:
    with lock_key(tmp_path, DIGEST), lock_key(tmp_path, "1" * 64):
        (tmp_path / "locks/mine").touch()
        (tmp_path / "locks" / ("2" * 64)).touch()
        remove_idle_locks(tmp_path)
        assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == [DIGEST, "1" * 64, "mine"]
    assert KEY.fullmatch(DIGEST)


def test_who_opened_a_removed_lock_takes_the_new_file(tmp_path: Path) -> None:
    removed: list[Path] = []

    def remove() -> None:
        """Let go of the key as gc does: the file is removed while another process has it open."""
        if not removed:
            removed.append(tmp_path / "locks" / DIGEST)
            removed[0].unlink()
            os.close(first)

    first = os.open(tmp_path / "first", os.O_RDWR | os.O_CREAT)
    (tmp_path / "locks").mkdir()
    os.link(tmp_path / "first", tmp_path / "locks" / DIGEST)
    fcntl.flock(first, fcntl.LOCK_EX)
    with lock_key(tmp_path, DIGEST, remove) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / "locks" / DIGEST).stat())
    with pytest.raises(OSError):
        os.fstat(descriptor)
