"""Splits a protocol buffer message into its fields (https://protobuf.dev/programming-guides/encoding)."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10  # bytes


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Read an unsigned number at `start`. Return it and the position after it.

    Raises ValueError if it is cut off or longer than 64 bits.
    """
    value = 0
    for at in range(start, min(start + LONGEST_VARINT, len(data))):
        value |= (data[at] & 127) << 7 * (at - start)
        if data[at] < 128:
            if value >> 64:
                break
            return value, at + 1
    raise ValueError(f"no whole varint at byte {start}")


def read_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) in the order written: varints and fixed numbers as unsigned ints, the rest as bytes.

    Raises ValueError if the message is cut off or uses groups.
    """
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        kind = tag & 7
        if kind == VARINT:
            number, at = read_varint(message, at)
            yield tag >> 3, number
            continue
        if kind == BYTES:
            length, at = read_varint(message, at)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if length > len(message) - at:
            raise ValueError(f"a field of {length} bytes at byte {at} is cut off")
        content = message[at : at + length]
        at += length
        yield tag >> 3, content if kind == BYTES else int.from_bytes(content, "little")


def as_signed(value: int) -> int:
    """Return the signed number that a varint's 64 bits stand for."""
    return value - (1 << 64) if value >> 63 else value
