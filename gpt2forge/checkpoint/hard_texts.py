"""Texts on which tokenizers differ: every script, emoji, control characters, spaces, and special tokens in words."""

from collections.abc import Iterator

HARD_TEXTS = (
    "",
    " ",
    "   ",
    "\n",
    "\n\n\n x\t\ty\r\n",
    " leading and trailing ",
    "two  spaces,   three    four",
    "don't we'll I'VE they're it's 'quoted' O'Neill’s",
    "0 1 12 123 1234 3.14 1,000,000 ½ ² Ⅷ ٣ 一二三",
    'def f(x: int) -> str:\n    return f"{x!r}"  # 100% `code` <b>&amp;</b>',
    "CamelCase snake_case kebab-case UPPER lower ǅ ß ẞ İ ı",
    "Größe, naïve café, Ærøskøbing, Łódź, smörgåsbord, façade, señor, e\u0301 vs é, Å vs A\u030a",
    "русский язык, українська, ελληνικά, հայերեն, ქართული",
    "עברית וערבית: العربية، فارسی، اردو؟ \u200f(rtl)\u200e",
    "हिन्दी, বাংলা, தமிழ், తెలుగు, ไทย, ລາວ, မြန်မာ, ខ្មែរ, བོད་ཡིག",
    "日本語のテキスト、中文文本。繁體字！한국어 텍스트 ｆｕｌｌｗｉｄｔｈ ﾊﾝｶｸ",
    "አማርኛ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ⵜⴰⵎⴰⵣⵉⵖⵜ 𐍈 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𒀀",
    "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ❤️ ☺ 1️⃣ 🤷‍♂️",
    "\x00\x01\x07\x08\x0b\x0c\x1b[0m\x7f\x80\x85\xa0\xad",
    "\u00a0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000\u200b\u200d\ufeff\ufffd",
    "a" * 200,
    "!?" * 50 + "—–…“”‘’«»¿¡§¶†‡•",
    "[CLS] [SEP] [PAD] [MASK] [UNK] <s> </s> <pad> <unk> <mask> <|endoftext|> <|startoftext|>",
)


def list_hard_texts(tokens: list[str]) -> Iterator[str]:
    """Yield HARD_TEXTS, and texts with each of these tokens alone, in the middle of words, and beside spaces."""
    yield from HARD_TEXTS
    for token in tokens:
        yield from (token, f"wo{token}rd", f" {token} ", f"a {token}{token} b\n{token}\n", token.swapcase())
