"""Holds a converted tokenizer against the source's own, as its library loads it.

The check decides no result: it stops a wrong conversion. It runs where the library is there: transformers'
AutoTokenizer for a Hugging Face directory; the algorithm of OpenAI's encoder.py for OpenAI's files, with the package
`regex`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from gpt2forge.checkpoint.format import Checkpoint, Wanted
from gpt2forge.checkpoint.hard_texts import list_hard_texts
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

TRANSFORMERS = ("huggingface", "tf2")  # formats whose tokenizer transformers reads
MOST_TOKENS = 200  # added tokens that the texts hold; more would take seconds
Encode = Callable[[str], Sequence[int]]
Decode = Callable[[Sequence[int], bool], str]


@dataclass(frozen=True)
class SourceTexts:
    """The source's own tokenizer: `encode(text)` returns ids, `decode(ids, skip)` leaves special tokens out or in.

    `encode_plain(text)` adds no token at the beginning or the end. `added` are the tokens that stay whole.
    """

    name: str
    encode: Encode
    decode: Decode
    encode_plain: Encode
    added: tuple[str, ...]


def check_text(source: SourceTexts, ours: Tokenizer, folder: Path, text: str) -> None:
    """Compare the ids of one long text. Raises UserError that shows where they differ; `folder` is the source."""
    expected, found = list(source.encode_plain(text)), ours.encode(text, add_special_tokens=False).ids
    if found != expected:
        pairs = zip(found, expected, strict=False)
        differ = (place for place, (one, other) in enumerate(pairs) if one != other)
        place = next(differ, min(len(found), len(expected)))
        around = source.decode(expected[max(0, place - 4) : place + 4], False)
        refuse(folder, f"token {place} of the text, near {quote_untrusted(around)}, is another for {source.name}")


def check_tokenizer(source: SourceTexts, text: str, folder: Path) -> None:
    """Compare a converted tokenizer.json, `text`, with the source's own on hard texts.

    Raises UserError that names the first text that differs. `folder` is the source.
    """
    ours = Tokenizer.from_str(text)
    added = dict.fromkeys([*source.added, *(token.content for token in ours.get_added_tokens_decoder().values())])
    for each in list_hard_texts(list(added)[:MOST_TOKENS]):
        expected, found = list(source.encode(each)), ours.encode(each).ids
        if found != expected:
            refuse(folder, f"{quote_untrusted(each)} would be {found[:8]}, but is {expected[:8]} for {source.name}")
        for skip in (True, False):
            said, ours_said = source.decode(expected, skip), ours.decode(expected, skip_special_tokens=skip)
            if said != ours_said:
                both = f"{quote_untrusted(ours_said)}, but are {quote_untrusted(said)} for {source.name}"
                refuse(folder, f"the ids of {quote_untrusted(each)} would be decoded as {both}")


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
    except Exception:  # it raises whatever its parts raise; a tokenizer that it cannot load is no measure
        return None
    return SourceTexts(
        name="transformers",
        encode=lambda text: tokenizer(text)["input_ids"],
        decode=lambda ids, skip: str(
            tokenizer.decode(list(ids), skip_special_tokens=skip, clean_up_tokenization_spaces=False)
        ),
        encode_plain=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
        added=tuple(tokenizer.get_added_vocab()),
    )


def is_own_class(folder: Path) -> bool:
    """Return whether transformers' class for the tokenizer fits its model: GPT2Tokenizer reads nothing but BPE."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return True
    values = json.loads(path.read_bytes())
    config = folder / "tokenizer_config.json"
    name = json.loads(config.read_bytes()).get("tokenizer_class") if config.is_file() else None
    is_bpe: bool = values["model"].get("type") == "BPE"
    return is_bpe or name not in (None, "GPT2Tokenizer", "GPT2TokenizerFast")


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
    lines = (weights / "merges.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    added = {token.content: number for number, token in read_added(weights).items()}
    return open_openai(ids, [(left, right) for left, _, right in (line.partition(" ") for line in lines)], added)


def read_added(weights: Path) -> dict[int, Any]:
    """Return the added tokens of a tokenizer.json by id."""
    return dict(Tokenizer.from_file(str(weights / "tokenizer.json")).get_added_tokens_decoder())


def open_source(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> SourceTexts | None:
    """Open the checkpoint's own tokenizer; None if no library for its format is there."""
    if checkpoint.format.name == "huggingface":
        return open_huggingface(checkpoint.folder)
    if checkpoint.format.name != "tf1" or tokenizer.merges is None:
        return None
    return open_openai(dict(tokenizer.ids), tokenizer.merges, dict(tokenizer.added))
