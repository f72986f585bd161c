"""Only regular files are opened, at once, and no more of them is read than is allowed."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.regular_file import open_regular, read_start, read_whole


def make_socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket, lambda path: path.symlink_to("/dev/zero"), os.mkdir])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "x"
    make(path)
    with pytest.raises(OSError, match=r"not a file|Is a directory|No such device or address"):
        read_whole(path, 10)


def test_file_of_the_allowed_size_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    assert read_whole(path, 10) == b"0123456789"
    assert read_start(path, 4) == b"0123"


def test_larger_file_is_refused_with_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_whole(path, 10)


def test_file_that_claims_no_size_is_read() -> None:
    assert read_start("/proc/self/stat", 1 << 14)


def test_refused_file_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with pytest.raises(OSError, match="Is a directory"):
            open_regular(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
