"""The kinds of tokenizers that transformers builds from a vocabulary, whatever else their tokenizer.json says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpt2forge.checkpoint.source_tokenizer import describe_byte_level
from gpt2forge.checkpoint.untrusted_text import read_object, read_text
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Merge, parse_ids, parse_merges, read_lines
from gpt2forge.errors import UserError

if TYPE_CHECKING:  # finding a checkpoint imports this module
    from tokenizers import Tokenizer

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Words:
    """The ids of a vocabulary, and its merges if it is byte-pair encoding."""

    ids: dict[str, int]
    merges: tuple[Merge, ...] | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of tokenizer: transformers' class and the type of its model in tokenizer.json.

    `files` hold the vocabulary where there is no tokenizer.json; `read_files(folder)` reads them, `read_model(model,
    path)` the model of a tokenizer.json. `roles` hold unless a file names others. `describe(words, config)` returns a
    tokenizer.json without added tokens; `config` are the values of tokenizer_config.json. If `keeps_processor`, the
    post-processor of a tokenizer.json is kept. Otherwise `surround(tokenizer, config, roles)` sets the tokens that
    the tokenizer puts around a text, when all tokens are added.
    """

    name: str
    model: str
    files: tuple[str, ...]
    roles: Mapping[str, str]
    read_files: Callable[[Path], Words]
    read_model: Callable[[Values, Path], Words]
    describe: Callable[[Words, Values], dict[str, Any]]
    keeps_processor: bool
    surround: Callable[["Tokenizer", Values, Mapping[str, str | None]], None]


def read_pair(folder: Path) -> Words:
    """Read vocab.json and merges.txt."""
    ids = parse_ids(read_object(folder / "vocab.json"), folder / "vocab.json")
    return Words(ids, parse_merges(read_lines(folder / "merges.txt"), ids, folder / "merges.txt"))


def read_bpe(model: Values, path: Path) -> Words:
    """Read the model of a tokenizer.json that is byte-pair encoding."""
    ids = read_ids(model, path)
    if not isinstance(model.get("merges"), list):
        raise UserError(f"{path}: has no `model.merges`; is it a tokenizer's file?")
    return Words(ids, parse_merges(model["merges"], ids, path))


def read_words(folder: Path) -> Words:
    """Read vocab.txt: a token a line, in order of the ids. Of equal lines the last one counts, as in transformers."""
    path = folder / "vocab.txt"
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    return Words({token: number for number, token in enumerate(lines[:-1] if lines[-1] == "" else lines)})


def read_ids(model: Values, path: Path) -> dict[str, int]:
    """Return the ids of a tokenizer.json's vocabulary: an object, or a list of [token, score] in order of the ids."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        return parse_ids(vocabulary, path)
    if not isinstance(vocabulary, list):
        raise UserError(f"{path}: has no `model.vocab`; is it a tokenizer's file?")
    if not all(isinstance(row, list) and row and isinstance(row[0], str) for row in vocabulary):
        raise UserError(f"{path}: `model.vocab` is not a list of tokens and scores; is it a tokenizer's file?")
    return {row[0]: number for number, row in enumerate(vocabulary)}


def describe_gpt2(words: Words, config: Values) -> dict[str, Any]:
    return describe_byte_level(words.ids, words.merges or (), add_prefix_space=config.get("add_prefix_space") is True)


def describe_bert(words: Words, config: Values) -> dict[str, Any]:
    """Return WordPiece as in BERT, which Chinese, Japanese and Korean GPT-2s use."""
    roles = {**BERT.roles, **{role: name_token(config[role]) for role in BERT.roles if role in config}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": config.get("tokenize_chinese_chars") is not False,
            "strip_accents": config.get("strip_accents"),
            "lowercase": config.get("do_lower_case") is not False,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": roles["unk_token"],
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": words.ids,
        },
    }


def surround_gpt2(tokenizer: "Tokenizer", config: Values, roles: Mapping[str, str | None]) -> None:
    """Put the first token before a text, and the last behind it, if the config asks for it."""
    asked = {side: roles.get(f"{side}_token") for side in ("bos", "eos") if config.get(f"add_{side}_token") is True}
    surround(tokenizer, first=asked.get("bos"), last=asked.get("eos"), repeats_first=True)


def surround_bert(tokenizer: "Tokenizer", config: Values, roles: Mapping[str, str | None]) -> None:
    surround(tokenizer, first=roles.get("cls_token"), last=roles.get("sep_token"), repeats_first=False)


def surround(tokenizer: "Tokenizer", *, first: str | None, last: str | None, repeats_first: bool) -> None:
    """Put these tokens around a text, and around each of two; the first stands before the second if it is repeated."""
    from tokenizers.processors import TemplateProcessing

    tokens = [token for token in (first, last) if token is not None]
    before, behind = ([] if token is None else [token] for token in (first, last))
    again = [f"{token}:1" for token in before if repeats_first]
    if tokens:
        tokenizer.post_processor = TemplateProcessing(
            single=[*before, "$A:0", *behind],
            pair=[*before, "$A:0", *behind, *again, "$B:1", *(f"{token}:1" for token in behind)],
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in dict.fromkeys(tokens)],
        )


def name_token(token: Any) -> str:
    """Return the content of a token that is a string or an object."""
    return str(token.get("content")) if isinstance(token, dict) else str(token)


GPT2 = Kind(
    name="GPT2Tokenizer",
    model="BPE",
    files=("vocab.json", "merges.txt"),
    roles=dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT),
    read_files=read_pair,
    read_model=read_bpe,
    describe=describe_gpt2,
    keeps_processor=True,
    surround=surround_gpt2,
)
BERT = Kind(
    name="BertTokenizer",
    model="WordPiece",
    files=("vocab.txt",),
    roles={
        **{"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"},
        "mask_token": "[MASK]",
    },
    read_files=read_words,
    read_model=lambda model, path: Words(read_ids(model, path)),
    describe=describe_bert,
    keeps_processor=False,
    surround=surround_bert,
)
KINDS = (GPT2, BERT)
