"""The entries of a TensorFlow index as one content to damage, and the index of such a content, whose checksums fit."""

from collections.abc import Iterator

from gpt2forge.checkpoint.tf1.leveldb import read_table
from tests.checkpoint.table_writer import Entry, make_table

LENGTH = 2  # bytes before a key and before a value


def list_entries(index: bytes) -> bytes:
    """Return the keys and values of an index one after the other, each behind its length."""
    return b"".join(pack(text) for entry in read_table(index) for text in entry)


def pack(text: bytes) -> bytes:
    return len(text).to_bytes(LENGTH, "little") + text


def make_index(content: bytes) -> bytes:
    """Return the index of such a content; what damage cut off stays short."""
    return make_table(sorted(take_entries(content)))


def take_entries(content: bytes) -> Iterator[Entry]:
    at = 0

    def take() -> bytes:
        nonlocal at
        start = at + LENGTH
        at = start + int.from_bytes(content[at:start], "little")
        return content[start:at]

    while at < len(content):
        yield take(), take()
