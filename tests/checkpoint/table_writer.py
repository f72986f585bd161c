"""A small writer of LevelDB tables and protocol buffers, for contents that TensorFlow would never write."""

import os

import google_crc32c

from gpt2forge.checkpoint.tf1.leveldb import MAGIC, mask

Entry = tuple[bytes, bytes]


def make_table(entries: list[Entry], per_block: int = 4, restart: int = 2, compression: int = 0) -> bytes:
    """Make a table of these entries, `per_block` to a block, with a whole key every `restart` entries."""
    table, handles = b"", []
    for start in range(0, len(entries), per_block):
        chunk = entries[start : start + per_block]
        block = make_block(chunk, restart)
        handles.append((chunk[-1][0], make_varint(len(table)) + make_varint(len(block))))
        table += seal(block, compression)
    meta = make_varint(len(table)) + make_varint(len(make_block([], 1)))
    table += seal(make_block([], 1), 0)
    index_block = make_block(handles, 1)
    index = make_varint(len(table)) + make_varint(len(index_block))
    return table + seal(index_block, 0) + make_footer(meta + index)


def make_footer(handles: bytes) -> bytes:
    return handles.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def make_block(entries: list[Entry], restart: int) -> bytes:
    block, restarts, last = b"", [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart == 0:
            restarts.append(len(block))
        else:
            shared = len(os.path.commonprefix([key, last]))  # noqa: RUF071 (bytes, not paths)
        lengths = (shared, len(key) - shared, len(value))
        block += b"".join(map(make_varint, lengths)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return block + b"".join(at.to_bytes(4, "little") for at in (*restarts, len(restarts)))


def seal(block: bytes, compression: int) -> bytes:
    content = block + bytes([compression])
    return content + mask(google_crc32c.value(content)).to_bytes(4, "little")


def make_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def make_field(number: int, value: int | bytes) -> bytes:
    """Make a field as a varint or as bytes."""
    if isinstance(value, int):
        return make_varint(number << 3) + make_varint(value)
    return make_varint(number << 3 | 2) + make_varint(len(value)) + value


def make_entry(dtype: int, shape: tuple[int, ...], shard: int, offset: int, size: int, crc: int = 0) -> bytes:
    """Make a BundleEntryProto."""
    lengths = b"".join(make_field(2, make_field(1, length)) for length in shape)
    numbers = make_field(3, shard) + make_field(4, offset) + make_field(5, size)
    return make_field(1, dtype) + make_field(2, lengths) + numbers + make_varint(6 << 3 | 5) + crc.to_bytes(4, "little")
