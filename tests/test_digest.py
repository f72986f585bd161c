"""Digests of files: equal to those of their bytes, for every length and way of reading."""

import hashlib
from pathlib import Path

import pytest

from gpt2forge.digest import CHUNK, SHORT, Hasher, digest_file


@pytest.mark.parametrize("size", [0, 1, SHORT - 1, SHORT, CHUNK, CHUNK + 1, 2 * CHUNK + SHORT])
def test_every_byte_counts_once(tmp_path: Path, size: int) -> None:
    data = hashlib.shake_128(b"some").digest(size)
    (tmp_path / "file").write_bytes(data)
    counts: list[int] = []
    assert digest_file(tmp_path / "file", counts.append) == hashlib.sha256(data).hexdigest()
    assert sum(counts) == size


def test_two_buffers_in_turns_are_enough() -> None:
    buffers, whole = (bytearray(4 * SHORT), bytearray(4 * SHORT)), hashlib.sha256()
    with Hasher() as hasher:
        for number in range(50):
            buffer = buffers[number % 2]
            buffer[:] = bytes([number]) * len(buffer)
            length = len(buffer) if number % 3 else SHORT // 2  # long ones in the thread, short ones directly
            whole.update(buffer[:length])
            hasher.update(memoryview(buffer)[:length])
        assert hasher.hexdigest() == whole.hexdigest()
