"""Writes Hugging Face directories with the real transformers."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

from tests.checkpoint.tiny import END_OF_TEXT, MERGES, Shape, make_encoder


def make_model(**changes: Any) -> GPT2LMHeadModel:
    """Make a random model in which no bias and no gain is trivial."""
    torch.manual_seed(0)
    shape = Shape()
    config = GPT2Config(
        **{
            "vocab_size": shape.n_vocab,
            "n_positions": shape.n_ctx,
            "n_embd": shape.n_embd,
            "n_head": shape.n_head,
            "n_layer": shape.n_layer,
            "bos_token_id": 0,
            "eos_token_id": 0,
        }
        | changes
    )
    model = GPT2LMHeadModel(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return model


def make_tokenizer() -> GPT2Tokenizer:
    merges = [tuple(merge.split()) for merge in MERGES]
    return GPT2Tokenizer(vocab=make_encoder(Shape()), merges=merges, eos_token=END_OF_TEXT)


def write_huggingface(folder: Path, model: GPT2LMHeadModel, **options: Any) -> Path:
    """Write a model and its tokenizer with `save_pretrained`."""
    model.save_pretrained(folder, **options)
    make_tokenizer().save_pretrained(folder)
    return folder


def change_tensors(folder: Path, change: Any) -> None:
    """Rewrite model.safetensors with the tensors that `change` returns."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def split_tokenizer(folder: Path) -> None:
    """Turn tokenizer.json into vocab.json and merges.txt, as old versions of transformers wrote them."""
    path = folder / "tokenizer.json"
    Tokenizer.from_file(str(path)).model.save(str(folder))
    path.unlink()
