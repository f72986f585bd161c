"""Locks hold where flock is refused, and one line says so where nothing locks."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.store.file_lock import lock_file
from gpt2forge.store.gc import collect
from gpt2forge.store.locks import StoreBusy, is_locked, lock_key
from gpt2forge.store.store import Store
from tests.store.made import KEY, put
from tests.store.no_flock import run_without_flock

REFUSALS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


def lock_and_collect(root: Path) -> str:
    """Use the locks of a store in every way; return what came of each."""
    store, found = Store(root), []
    with store.hold():
        put(store, {"a": b"1"})
        with store.lock(KEY) as descriptor:
            os.set_inheritable(descriptor, True)
            child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
            found.append(is_locked(root / "locks" / KEY))
        found.append(is_locked(root / "locks" / KEY))  # the child has it
        child.communicate(b"\n")
        found.append(is_locked(root / "locks" / KEY))
        try:
            collect(store, [], limit=None)
        except StoreBusy:
            found.append("busy")
    collect(store, [], limit=None)
    return repr(found)


@pytest.mark.parametrize("error", REFUSALS)
def test_locks_of_open_files_stand_in_for_flock(tmp_path: Path, error: int) -> None:
    answer = run_without_flock(lambda: lock_and_collect(tmp_path / "store"), tmp_path, error)
    assert answer == "[True, True, False, 'busy']" == lock_and_collect(tmp_path / "other")


@pytest.mark.parametrize("error", REFUSALS)
def test_file_system_without_locks_is_one_line_at_once(tmp_path: Path, error: int) -> None:
    def use() -> str:
        lines = []
        for alone in (False, True):
            try:
                with Store(tmp_path / "store").hold(alone=alone):
                    pass
            except UserError as fault:
                lines.append(str(fault))
        try:
            with Store(tmp_path / "store").lock(KEY):
                pass
        except UserError as fault:
            lines.append(str(fault))
        with Store(tmp_path / "store", is_read_only=True).hold():
            lines.append("read")
        return "\n".join(lines)

    *lines, last = run_without_flock(use, tmp_path, error, and_fcntl=True).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{tmp_path}/store/{name}" for name in ("held", "held", f"locks/{KEY}")
    ]
    assert all(f"cannot be locked: {os.strerror(error)}; its file system has no locks" in line for line in lines)
    assert last == "read"


def test_lock_files_are_open_for_writing_as_nfs_needs(tmp_path: Path) -> None:
    with lock_key(tmp_path, KEY) as descriptor:
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR


def test_file_that_only_another_user_may_write_says_who_can_help(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)

    def lock() -> str:
        try:
            lock_file(descriptor, path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except UserError as fault:
            return str(fault)
        return "locked"

    assert "`chmod g+w`" in run_without_flock(lock, tmp_path, errno.EBADF)  # flock and fcntl of a file open for reading
    os.close(descriptor)
