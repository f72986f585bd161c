"""Holds a converted tokenizer against the source's own, as its library loads it.

The check decides no result: it stops a wrong conversion. It runs where the library is there: transformers'
AutoTokenizer for a Hugging Face directory; the algorithm of OpenAI's encoder.py for OpenAI's files, with the package
`regex`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tokenizers import Tokenizer

from gpt2forge.checkpoint.format import Checkpoint, Wanted
from gpt2forge.checkpoint.hard_texts import list_hard_texts
from gpt2forge.checkpoint.huggingface.added_tokens import ROLES
from gpt2forge.checkpoint.huggingface.huggingface_tokenizer import find_model
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, raise_unless_library
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.checkpoint.vocabulary import read_lines
from gpt2forge.errors import UserError

TRANSFORMERS = ("huggingface", "tf2")  # formats whose tokenizer transformers reads
PROBE = "a"
MOST_TOKENS = 200  # added tokens that the texts hold; more would take seconds
Encode = Callable[[str], Sequence[int]]
Decode = Callable[[Sequence[int], bool], str]


@dataclass(frozen=True)
class SourceTexts:
    """The source's own tokenizer: `encode(text)` returns ids, `decode(ids, skip)` leaves special tokens out or in.

    `encode_plain(text)` adds no token at the beginning or the end. `added` are the tokens that stay whole. `roles` map
    a role to its token, if the library knows them.
    """

    name: str
    encode: Encode
    decode: Decode
    encode_plain: Encode
    added: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)


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


def open_huggingface(folder: Path) -> SourceTexts | None:
    """Open the tokenizer of a Hugging Face directory in transformers; None if that is missing or cannot load it."""
    if find_spec("transformers") is None:
        return None
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()  # type: ignore[no-untyped-call]
    opener = AutoTokenizer if is_own_class(folder) else PreTrainedTokenizerFast
    try:
        tokenizer = opener.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if hasattr(tokenizer.backend_tokenizer.model, "dropout"):  # it would choose other merges each time
            tokenizer.backend_tokenizer.model.dropout = None
        if not tokenizer(PROBE)["input_ids"]:  # it makes an empty tokenizer where it finds no files
            return None
    except BaseException as error:  # it raises whatever its parts raise; what it cannot load or run is no measure
        raise_unless_library(error)
        return None
    return SourceTexts(
        name="transformers",
        encode=lambda text: tokenizer(text)["input_ids"],
        decode=lambda ids, skip: str(
            tokenizer.decode(list(ids), skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        ),
        encode_plain=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
        added=tuple(tokenizer.get_added_vocab()),
        roles={role: str(token) for role in ROLES if (token := getattr(tokenizer, role, None)) is not None},
    )


def is_own_class(folder: Path) -> bool:
    """Return whether transformers' class for the tokenizer fits its model: GPT2Tokenizer reads nothing but BPE."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return True
    values = json.loads(path.read_bytes())
    config = folder / "tokenizer_config.json"
    name = json.loads(config.read_bytes()).get("tokenizer_class") if config.is_file() else None
    return find_model(values) == "BPE" or name not in (None, "GPT2Tokenizer", "GPT2TokenizerFast")


def open_openai(ids: dict[str, int], merges: Sequence[tuple[str, str]], special: dict[str, int]) -> SourceTexts | None:
    """Return OpenAI's encoder with these files; None without the package `regex`."""
    if find_spec("regex") is None:
        return None
    from gpt2forge.checkpoint.tf1.openai_encoder import OpenAIEncoder

    encoder = OpenAIEncoder(ids, merges, special)
    return SourceTexts("OpenAI's encoder", encoder.encode, encoder.decode, encoder.encode, tuple(special))


def reads_as_saved(checkpoint: Checkpoint, wanted: Wanted) -> bool:
    """Return whether the converted tokenizer reads texts as the checkpoint's own does in its library.

    transformers reads special tokens as the files say, and OpenAI's encoder as it is told.
    """
    return wanted.own_tokenizer and (wanted.special_tokens != "text" or checkpoint.format.name == "tf1")


def open_converted(format_name: str, folder: Path, weights: Path) -> SourceTexts | None:
    """Open the source's own tokenizer; OpenAI's from the files that the conversion wrote to `weights`."""
    if format_name in TRANSFORMERS:
        return open_huggingface(folder)
    if format_name != "tf1":
        return None
    ids = json.loads((weights / "vocab.json").read_bytes())
    merges = [(left, right) for left, right in read_lines(weights / "merges.txt")]
    added = Tokenizer.from_file(str(weights / "tokenizer.json")).get_added_tokens_decoder()
    return open_openai(ids, merges, {token.content: number for number, token in added.items()})


def open_source(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> SourceTexts | None:
    """Open the checkpoint's own tokenizer; None if no library for its format is there."""
    if checkpoint.format.name in TRANSFORMERS:
        return open_huggingface(checkpoint.folder)
    if checkpoint.format.name != "tf1" or tokenizer.merges is None:
        return None
    return open_openai(dict(tokenizer.ids), tokenizer.merges, dict(tokenizer.added))
