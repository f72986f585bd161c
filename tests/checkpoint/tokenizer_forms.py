"""Writes the files of tokenizers in the many forms that versions 2 to 5 of transformers left them, drawn at random."""

import json
import random
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CORPUS = ["hello world this is a test", "don't stop COVID-19", "日本語 é café über", "<s> </s>"] * 5
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<mask>", "<|endoftext|>", "[PAD]")
ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
TEXTS = (
    *(
        "",
        " ",
        "hello world",
        " hello",
        "hello  ",
        "a<|endoftext|>b",
        "x<s>y </s> <pad>z",
        "日本語 é 👩‍👩‍👧",
        "\x00\n\t\r\n",
    ),
    *("COVID-19 is<new>here <|x|>", "[PAD]a[PAD]", "<e1> a<e2>b <a1> <d> c", "[CLS] [SEP] un", "<mask> a <unk> "),
)
"""Texts with every token that a form may have, in the middle of words too."""


def train(kind: str, draw: random.Random) -> Tokenizer:
    """Train a tokenizer of a kind, some of whose words are special."""
    chosen = draw.sample(SPECIALS, draw.randint(0, 5))
    if kind == "bpe":
        made, alphabet = Tokenizer(models.BPE()), pre_tokenizers.ByteLevel.alphabet() if draw.random() < 0.7 else []
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=draw.random() < 0.3)
        made.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(vocab_size=400, special_tokens=chosen, initial_alphabet=alphabet)
    elif kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[UNK]", "[CLS]", "[SEP]", *chosen])
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        words = ["<unk>", *(word for word in chosen if word != "<unk>")]
        trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=words, unk_token="<unk>")
    made.train_from_iterator(CORPUS, trainer)
    return made


def write_form(folder: Path, draw: random.Random) -> None:
    """Write the files of a tokenizer, and a config.json, in a form drawn at random."""
    kind = draw.choice(["bpe", "bpe", "bpe", "wordpiece", "unigram"])
    made = train(kind, draw)
    classes = [None, "GPT2Tokenizer", "GPT2TokenizerFast", "PreTrainedTokenizerFast"]
    name = draw.choice(classes) if kind == "bpe" else draw.choice(classes[3:])
    config, special = draw_values(made, draw)
    older = {}
    if draw.random() < 0.4:
        (made.add_special_tokens if draw.random() < 0.5 else made.add_tokens)(["<new>"])
    elif draw.random() < 0.5:
        older["<new>"] = made.get_vocab_size()
    if draw.random() < 0.3:
        older["COVID-19"] = made.get_vocab_size() + len(older)
    folder.mkdir()
    config |= {} if name is None else {"tokenizer_class": name}
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    values = {"tokenizer_config.json": config, "special_tokens_map.json": special, "added_tokens.json": older}
    for file, value in values.items():
        if value:
            (folder / file).write_text(json.dumps(value))
    if kind == "bpe" and name in classes[:2] and draw.random() < 0.5:
        made.model.save(str(folder))
        return
    if draw.random() < 0.3:
        made.enable_truncation(5)
    if draw.random() < 0.2:
        made.enable_padding(length=9)
    made.save(str(folder / "tokenizer.json"))


def draw_values(made: Tokenizer, draw: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of tokenizer_config.json and special_tokens_map.json."""
    names = [*(token.content for token in made.get_added_tokens_decoder().values()), "<new>", "<|x|>"]
    config: dict[str, Any] = {role: draw_token(names, draw, "AddedToken") for role in ROLES if draw.random() < 0.4}
    config |= {role: None for role in ROLES if draw.random() < 0.1}
    special = {role: draw_token(names, draw) for role in ROLES if draw.random() < 0.3}
    if draw.random() < 0.3:
        config["additional_special_tokens"] = [draw.choice([*names, "<e1>"])]
    elif draw.random() < 0.3:
        config["extra_special_tokens"] = ["<e2>"]
    if draw.random() < 0.3:
        special["additional_special_tokens"] = [draw.choice(["<a1>", "<new>"])]
    if draw.random() < 0.3:
        config["added_tokens_decoder"] = list_decoder(made, draw)
    choices = {
        **{"add_prefix_space": [True, False], "add_bos_token": [True, False], "padding_side": ["left", "right"]},
        **{"truncation_side": ["left"], "model_max_length": [77], "chat_template": ["{{ x }}"]},
    }
    return config | {key: draw.choice(each) for key, each in choices.items() if draw.random() < 0.3}, special


def draw_token(names: list[str], draw: random.Random, kind: str | None = None) -> Any:
    """Return a token as a string or an object; `kind` is the object's `__type`."""
    content = draw.choice(names)
    if draw.random() < 0.5:
        return content
    flags = {flag: draw.random() < 0.3 for flag in ("lstrip", "rstrip", "normalized", "single_word")}
    return {"content": content, **flags, **({"__type": kind} if kind else {})}


def list_decoder(made: Tokenizer, draw: random.Random) -> dict[str, Any]:
    """Return the added tokens as `added_tokens_decoder` holds them, perhaps with one more."""
    flags = ("content", "lstrip", "rstrip", "normalized", "single_word", "special")
    found = made.get_added_tokens_decoder()
    rows = {str(number): {flag: getattr(token, flag) for flag in flags} for number, token in found.items()}
    more = {"content": "<d>", "rstrip": True, "lstrip": False, "normalized": False, "single_word": False}
    return rows | ({str(made.get_vocab_size()): {**more, "special": True}} if draw.random() < 0.5 else {})
