"""Guesses the value that a wrong one means, for the end of a message: `INT8`, `gpu`, `fp16`, `5 %`, `8k`."""

import re
from collections.abc import Sequence
from typing import Any

from gpt2forge.errors import suggest_close
from gpt2forge.units import parse_percentage

MEANT = {
    **dict.fromkeys(("gpu", "nvidia", "cuda:0"), "cuda"),
    **dict.fromkeys(("x86", "x8664", "arm", "intel", "amd"), "cpu"),
    **dict.fromkeys(("fp16", "f16", "half", "16bit", "bf16", "bfloat16"), "float16"),
    **dict.fromkeys(("fp32", "f32", "float", "float32", "full", "32bit"), "none"),
    **dict.fromkeys(("8", "8bit", "q8", "q80", "w8", "i8", "uint8", "8bits"), "int8"),
    **dict.fromkeys(("4", "4bit", "q4", "q40", "w4", "i4", "uint4", "4bits", "nf4"), "int4"),
    **dict.fromkeys(("q4km", "q4ks", "q4k", "q41"), "int4"),
    **dict.fromkeys(("perchannel", "channels", "row"), "channel"),
    **dict.fromkeys(("avx512vnni", "avxvnni"), "vnni"),
    **dict.fromkeys(("all", "every", "generic", "avx", "avx2", "avx512", "sse", "neon", "native"), "any"),
    **dict.fromkeys(("rtn", "round", "default"), "nearest"),
}
"""What other programs call a value, in small letters without `-`, `_` and spaces, and what it is called here."""

FLOATS = {"none": "float32"}
"""Where `none` is no choice, a word for float32 means this."""

TRUE, FALSE = ("true", "yes", "on", "y", "1"), ("false", "no", "off", "n", "0")
PERCENT = re.compile(r"(\d{1,6}(?:[.,]\d{1,6})?) {0,9}(?:%|percent|per cent)", re.ASCII)
THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
NUMBER = re.compile(r"(\d{1,3}(?:[ ,']\d{3}){1,3}|\d{1,9}) ?([kKmM]?)", re.ASCII)
DECIMAL = re.compile(r"\d{1,9}[.,]\d{1,12}(?:[eE]-?\d{1,3})?", re.ASCII)
LONGEST = 60  # characters of a value that is compared


def suggest_choice(value: Any, choices: Sequence[str]) -> str:
    """Return the end of a message: the choice that a value means; empty if none is near."""
    word = simplify(str(value)[:LONGEST].partition("#")[0])  # a comment needs a space before its `#`
    meant = MEANT.get(word, "")
    known = [choice for choice in choices if simplify(choice) == word]
    known += [each for each in (meant, FLOATS.get(meant, "")) if each in choices]
    return f"; did you mean `{known[0]}`?" if known else suggest_close(str(value)[:LONGEST].lower(), choices)


def simplify(word: str) -> str:
    """Return a word in small letters, without what people write between, around and behind words."""
    return re.sub("[-_ ,;\"'\u2018\u2019\u201c\u201d]", "", word.lower())


def suggest_value(value: Any, expected: str) -> str:
    """Return the end of a message: the value that fits what was expected; empty if none is near."""
    text = str(value)[:LONGEST].strip()
    if "percentage" in expected:
        return suggest_percentage(text)
    if expected == "must be `true` or `false`":
        meant = "true" if text.lower() in TRUE else "false" if text.lower() in FALSE else None
        return f"; did you mean `{meant}`?" if meant else ""
    if expected == "must be a list" and isinstance(value, str):
        return f"; write `[{text}]`"
    if expected == "must be text":
        return suggest_text(value)
    if "whole" in expected and isinstance(value, float) and value.is_integer():
        return f"; did you mean `{int(value)}`?"
    if "number" not in expected or not isinstance(value, str):
        return ""
    return suggest_number(text) if "whole" in expected else suggest_decimal(text)


def suggest_text(value: Any) -> str:
    """Return the end of a message about a value that should be text: it in quotes, or the only entry of a list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return f"; write `{value[0][:LONGEST]}`, without the brackets or the `-` of a list"
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return f'; write `"{word[:LONGEST]}"`, with the quotes' if isinstance(value, bool | int | float) else ""


def suggest_percentage(text: str) -> str:
    """Return the percentage that a text with a space, a comma or a word means; a bare number could mean two."""
    found = PERCENT.fullmatch(text)
    meant = f"{found[1].replace(',', '.')}%" if found else ""
    share = parse_percentage(meant) if meant else None
    is_other = share is not None and share <= 1 and meant != text
    return f"; did you mean `{meant}`?" if is_other else ""


def suggest_decimal(text: str) -> str:
    """Return the number that one with a decimal comma, or in quotes, means."""
    found = DECIMAL.fullmatch(text)
    return f"; did you mean `{text.replace(',', '.')}`?" if found else ""


def suggest_number(text: str) -> str:
    """Return the number that `8k`, `8,192` or a number in quotes means."""
    found = NUMBER.fullmatch(text)
    if not found:
        return ""
    return f"; did you mean `{int(re.sub(r'[^0-9]', '', found[1])) * THOUSANDS[found[2].lower()]}`?"
