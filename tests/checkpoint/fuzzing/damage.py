"""Damages the content of a file at random."""

import random

MOST_GROWTH = 1 << 14  # bytes that an input may have beyond the file that it began as
EDGE = 256  # bytes at either end, where headers, magic numbers and footers are
NUMBERS = (0, 1, 7, 8, 127, 128, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)
WORDS = (
    *(b"null", b"true", b"-1", b"1e999", b"[]", b"{}", b'""', b"NaN", b"9" * 40, b"\\ud800", b"[" * 2000),
    *(b"\xff\xfe", b"\r\n", b"\0", b"../", b"\n"),
)


def damage(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """Change a content in one to four places; `other` is a content of the same file, whose end may take its place."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        change(changed, choose_place(len(changed), draw), other, draw)
    return bytes(changed)


def choose_place(size: int, draw: random.Random) -> int:
    """Return a place in a content, more often near its ends."""
    kind = draw.randrange(4)
    if kind == 0:
        return draw.randint(0, min(EDGE, size))
    return draw.randint(max(0, size - EDGE) if kind == 1 else 0, size)


def change(changed: bytearray, at: int, other: bytes, draw: random.Random) -> None:
    """Change a content at one place."""
    kind = draw.randrange(8)
    if kind == 0:
        del changed[at:]
    elif kind == 1:
        changed[at : at + 1] = bytes([draw.randrange(256)])
    elif kind == 2:
        size = draw.choice((1, 2, 4, 8))
        value = draw.choice(NUMBERS) & ((1 << 8 * size) - 1)
        changed[at : at + size] = value.to_bytes(size, draw.choice(("little", "big")))
    elif kind == 3:
        del changed[at : at + draw.randint(1, 64)]
    elif kind == 4:
        start = draw.randrange(len(changed) + 1)
        changed[at:at] = changed[start : start + draw.randint(1, 64)]
    elif kind == 5:
        word = draw.choice(WORDS)
        changed[at : at + draw.choice((0, len(word)))] = word
    elif kind == 6:
        changed[at:at] = draw.randbytes(draw.randint(1, 8))
    else:
        changed[at:] = other[at:]
