"""A LevelDB table, the form of a TF1 checkpoint's .index file, as (key, value) pairs.

Data blocks hold entries whose keys share a prefix with the one before; an index block says where they lie; a footer of
48 bytes says where the index lies (https://github.com/google/leveldb/blob/main/doc/table_format.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import google_crc32c

from gpt2forge.checkpoint.tf1.protobuf import read_varint

FOOTER = 48  # bytes
MAGIC = 0xDB4775248B80FB57
TRAILER = 5  # bytes behind each block: its compression and its checksum
LONGEST_KEY = 4096  # bytes, and below: of all keys; prefixes make it easy to claim more than memory holds
LARGEST_KEYS = 1 << 24
COMPRESSIONS = {1: "snappy", 2: "zlib", 4: "zstd"}


@dataclass(frozen=True)
class Handle:
    """Where a block lies; bytes."""

    offset: int
    size: int


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a table in order of their keys.

    Raises ValueError where the bytes are not a table, or not as they were written.
    """
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError("its last bytes are not a table's")
    _, at = read_handle(data, len(data) - FOOTER)  # of the metaindex block, which TensorFlow leaves empty
    index, _ = read_handle(data, at)
    last, size, end = None, 0, 0
    for _, value in read_block(cut_block(data, index)):
        handle, _ = read_handle(value, 0)
        if handle.offset < end:  # a block named again and again would make reading endless
            raise ValueError(f"the block at {handle.offset} overlaps the one before")
        end = handle.offset + handle.size + TRAILER
        for key, content in read_block(cut_block(data, handle)):
            size += len(key)
            if (last is not None and key <= last) or size > LARGEST_KEYS:
                raise ValueError("its keys are out of order or too many")
            last = key
            yield key, content


def read_handle(data: bytes, start: int) -> tuple[Handle, int]:
    offset, at = read_varint(data, start)
    size, at = read_varint(data, at)
    return Handle(offset, size), at


def cut_block(data: bytes, handle: Handle) -> bytes:
    """Take a block out of the table; raises ValueError where its checksum does not fit or it is compressed."""
    end = handle.offset + handle.size
    if end + TRAILER > len(data) - FOOTER:
        raise ValueError(f"a block of {handle.size} bytes at {handle.offset} lies outside the file")
    if mask(google_crc32c.value(data[handle.offset : end + 1])) != int.from_bytes(data[end + 1 : end + 5], "little"):
        raise ValueError(f"the checksum of the block at {handle.offset} does not fit")
    if data[end]:
        raise ValueError(f"a block is compressed ({COMPRESSIONS.get(data[end], data[end])}), which is not read")
    return data[handle.offset : end]


def read_block(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a block's entries; the restart points at its end serve seeking only and are passed over."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if len(block) < 4 or end < 0:
        raise ValueError("a block is cut off")
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or shared + fresh > LONGEST_KEY or fresh + length > end - at:
            raise ValueError(f"an entry at byte {at} of a block is cut off or its key is too long")
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + length]
        at += fresh + length


def mask(crc: int) -> int:
    """The form in which TensorFlow and LevelDB write a crc32c, so that a checksum over checksums stays one."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
