"""Reads a LevelDB table, the format of a TF1 checkpoint's .index file, as (key, value) pairs.

Data blocks hold entries; each key omits the prefix that it shares with the key before. An index block lists the data
blocks, and a 48-byte footer locates the index (https://github.com/google/leveldb/blob/main/doc/table_format.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import google_crc32c

from gpt2forge.checkpoint.tf1.protobuf import read_varint

FOOTER = 48  # bytes
MAGIC = 0xDB4775248B80FB57
TRAILER = 5  # bytes after each block: its compression and its checksum
LONGEST_KEY = 4096  # bytes
LARGEST_KEYS = 1 << 24  # bytes of all keys; with shared prefixes a small file can claim more than memory holds
MASK_DELTA = 0xA282EAD8
COMPRESSIONS = {1: "snappy", 2: "zlib", 4: "zstd"}


@dataclass(frozen=True)
class Handle:
    """The position of a block, in bytes."""

    offset: int
    size: int


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a table in order of their keys.

    Raises ValueError if the bytes are not a table, or damaged.
    """
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError("its last bytes are not a table's")
    _, at = read_handle(data, len(data) - FOOTER)  # the metaindex block's handle; TensorFlow leaves that block empty
    index, _ = read_handle(data, at)
    last, size, end = None, 0, 0
    for _, value in read_block(cut_block(data, index)):
        handle, _ = read_handle(value, 0)
        if handle.offset < end:  # a block that is listed repeatedly could make reading endless
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
    """Return the bytes of a block. Raises ValueError if its checksum does not match or if it is compressed."""
    end = handle.offset + handle.size
    if end + TRAILER > len(data) - FOOTER:
        raise ValueError(f"a block of {handle.size} bytes at {handle.offset} lies outside the file")
    if mask(google_crc32c.value(data[handle.offset : end + 1])) != int.from_bytes(data[end + 1 : end + 5], "little"):
        raise ValueError(f"the checksum of the block at {handle.offset} does not match")
    if data[end]:
        raise ValueError(f"a block is compressed ({COMPRESSIONS.get(data[end], data[end])}), which is not supported")
    return data[handle.offset : end]


def read_block(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a block's entries. The restart points at its end serve only seeking, so they are ignored."""
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
    """Return a crc32c as TensorFlow and LevelDB store it, so that data with checksums in it can have a checksum."""
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """Return the crc32c that `mask` made a stored checksum from."""
    rotated = (masked - MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF
