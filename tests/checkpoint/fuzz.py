"""Seeded texts that are hard for a tokenizer: all planes, all kinds of space, everything that GPT-2's pattern names."""

import random
from collections.abc import Iterator

MOST = 60  # pieces of a text
SURROGATES = range(0xD800, 0xE000)
POINTS = [point for point in range(0x110000) if point not in SURROGATES]

SPACES = [
    *(
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x1f",
        "\x85",
        "\xa0",
        "\u1680",
        "\u180e",
    ),
    *(chr(point) for point in range(0x2000, 0x2010)),
    *("\u2028", "\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\x00"),
]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "’s", "''", "'", " 's", "'s's", "x's"]
NUMBERS = [
    *(chr(first + digit) for first in (0x30, 0x660, 0x966, 0xE50, 0x1D7CE, 0x1FBF0) for digit in range(10)),
    *"½²Ⅷ①㊀౷൹𐄇𒐀",
]
EMOJI = [
    *("👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "1️⃣", "\u200d", "\ufe0f", "\U000e0067"),
    *(chr(point) for point in range(0x1F300, 0x1FB00)),
]
SCRIPTS = [range(0xA1, 0x250), range(0x370, 0x590), range(0x590, 0x780), range(0x900, 0x1200), range(0x3040, 0xA000)]
WORDS = ["the", " and", "self", "return", "def ", "Hello", " World", "ing", "ünï", "Straße", " при", "の"]

POOLS: list[list[str]] = [
    [chr(point) for point in range(0x20, 0x7F)],
    WORDS,
    SPACES,
    CONTRACTIONS,
    NUMBERS,
    EMOJI,
    [chr(point) for point in range(0x300, 0x370)],  # combining marks
    *([chr(point) for point in script] for script in SCRIPTS),
    [chr(point) for point in range(0xAC00, 0xD7A4)],
    [chr(point) for point in range(0x10000, 0x20000)],
    [chr(point) for point in POINTS],
]


def make_texts(count: int, seed: int) -> Iterator[str]:
    """Yield texts of up to MOST pieces, each from one to four pools; equal seeds yield equal texts."""
    draw = random.Random(seed)
    for _ in range(count):
        pools = draw.sample(POOLS, draw.randint(1, 4))
        yield "".join(draw.choice(draw.choice(pools)) for _ in range(draw.randint(0, MOST)))


def place_everywhere(point: int) -> str:
    """Return a text in which a character follows a letter, a digit, a space, a sign, a contraction and itself."""
    character = chr(point)
    return f"{character}'s {character}{character}'s1{character} a{character}b\n{character}.{character}"
