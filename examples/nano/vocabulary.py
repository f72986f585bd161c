"""The byte-level BPE that GPT-2 uses, trained on the text and written as OpenAI wrote theirs."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

END = "<|endoftext|>"


def train_tokenizer(texts: list[str], size: int) -> Tokenizer:
    """Learn `size` tokens: the 256 bytes, merges, and the end of a text as the last one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size - 1, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([END])
    return tokenizer


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokens of another model from its encoder.json and vocab.bpe."""
    model = models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe"))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([END])
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """All texts as one row of tokens, the end marked after each."""
    end = tokenizer.token_to_id(END)
    return np.array([token for encoding in tokenizer.encode_batch(texts) for token in (*encoding.ids, end)], np.int64)


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write encoder.json and vocab.bpe."""
    ranked = dict(sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1]))
    (folder / "encoder.json").write_text(json.dumps(ranked), encoding="utf-8")
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "vocab.bpe").write_text("\n".join(lines) + "\n", encoding="utf-8")
