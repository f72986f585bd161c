"""Holds a converted tokenizer against the source's own, as its library loads it. See `source_texts`.

The check decides no result: it stops a wrong conversion.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from gpt2forge.checkpoint.hard_texts import list_hard_texts
from gpt2forge.checkpoint.source_texts import Encode, SourceTexts
from gpt2forge.checkpoint.source_tokenizer import raise_unless_library
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

MOST_TOKENS = 200  # added tokens that the texts hold; more would take seconds


def check_text(source: SourceTexts, ours: Tokenizer, folder: Path, text: str) -> None:
    """Compare the ids of one long text. Raises UserError that shows where they differ; `folder` is the source."""
    expected = attempt(source.encode_plain, text)
    found = attempt(lambda text: ours.encode(text, add_special_tokens=False).ids, text)
    if found != expected and expected is not None:
        place = find_difference(found or [], expected)
        around = source.decode(expected[max(0, place - 4) : place + 4], False)
        refuse(folder, f"token {place} of the text, near {quote_untrusted(around)}, is another for {source.name}")


def check_tokenizer(source: SourceTexts, text: str, folder: Path) -> None:
    """Compare a converted tokenizer.json, `text`, with the source's own on hard texts.

    Raises UserError that names the first text that differs. `folder` is the source.
    """
    ours = Tokenizer.from_str(text)
    added = dict.fromkeys([*source.added, *(token.content for token in ours.get_added_tokens_decoder().values())])

    def encode_ours(text: str) -> Sequence[int]:
        ids: list[int] = ours.encode(text).ids
        return ids

    for each in list_hard_texts(list(added)[:MOST_TOKENS]):
        expected, found = attempt(source.encode, each), attempt(encode_ours, each)
        if found != expected:
            start = find_difference(found or [], expected or []) - 2
            shown, right = (describe_ids(ids, max(0, start)) for ids in (found, expected))
            refuse(folder, f"{quote_untrusted(each)} would be {shown}, but is {right} for {source.name}")
        if expected is None:
            continue
        for skip in (True, False):
            said, ours_said = source.decode(expected, skip), ours.decode(expected, skip_special_tokens=skip)
            if said != ours_said:
                both = f"{quote_untrusted(ours_said)}, but are {quote_untrusted(said)} for {source.name}"
                refuse(folder, f"the ids of {quote_untrusted(each)} would be decoded as {both}")


def check_roles(source: SourceTexts, roles: Mapping[str, str | None], folder: Path) -> None:
    """Raise UserError if a token has a role in the source's library that was not found."""
    for role, token in source.roles.items():
        if roles.get(role) != token:
            refuse(folder, f"its {role} is {quote_untrusted(token)} for {source.name}")


def attempt(encode: Encode, text: str) -> list[int] | None:
    """Return the ids of a text; None if the tokenizer cannot encode it, as without an unknown token."""
    try:
        return list(encode(text))
    except BaseException as error:
        raise_unless_library(error)
        return None


def find_difference(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the first place in which two lists differ."""
    differ = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differ, min(len(one), len(other)))


def describe_ids(ids: Sequence[int] | None, start: int) -> str:
    return "an error" if ids is None else f"{'... ' if start else ''}{list(ids[start : start + 8])}"


def refuse(folder: Path, difference: str) -> None:
    raise UserError(
        f"{folder}: the tokenizer cannot be converted exactly: {difference}; save it again with "
        "`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`, or name another with `source.tokenizer`"
    )
