"""Configurations that claim more than the weights hold: refused by every format, before memory is taken for it."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.checkpoint.describe import describe_checkpoint
from gpt2forge.errors import UserError
from tests.checkpoint.fuzzing.attempt import find_largest_memory
from tests.checkpoint.huggingface_writer import make_model, write_huggingface
from tests.checkpoint.nanogpt_writer import NanoGPT, write_nanogpt
from tests.workshop import ROOT

CLAIMS = [1, 10**6, 2**31 - 1, 10**9, 10**12]
MOST = 64 << 20  # bytes
KEYS = {
    "huggingface": ("n_layer", "n_embd", "vocab_size", "n_positions", "n_inner"),
    "openai": ("n_layer", "n_embd", "n_vocab", "n_ctx"),
    "nanogpt": ("n_layer", "n_embd", "vocab_size", "block_size"),
    "gguf": ("block_count", "embedding_length", "context_length", "feed_forward_length"),
}
"""The counts in a format's configuration that decide the shapes of tensors."""


def claim_huggingface(folder: Path, changes: dict[str, int]) -> None:
    write_huggingface(folder, make_model())
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def claim_openai(folder: Path, changes: dict[str, int]) -> None:
    shutil.copytree(ROOT / "examples/nano", folder, dirs_exist_ok=True)
    path = folder / "hparams.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def claim_nanogpt(folder: Path, changes: dict[str, int]) -> None:
    write_nanogpt(folder, NanoGPT(), **changes)
    shutil.copy(ROOT / "examples/nano/encoder.json", folder)
    shutil.copy(ROOT / "examples/nano/vocab.bpe", folder)


def claim_gguf(folder: Path, changes: dict[str, int]) -> None:
    from tests.checkpoint.gguf_writer import write_gguf

    source = write_huggingface(folder.with_name("source"), make_model())
    path = write_gguf(source, folder / "model.gguf")
    data = bytearray(path.read_bytes())
    for key, value in changes.items():
        place = data.index(f"gpt2.{key}".encode()) + len(f"gpt2.{key}")
        assert data[place : place + 4] == struct.pack("<I", 4)
        data[place + 4 : place + 8] = struct.pack("<I", value & 0xFFFFFFFF)
    path.write_bytes(data)


CLAIM: dict[str, Callable[[Path, dict[str, int]], None]] = {
    "huggingface": claim_huggingface,
    "openai": claim_openai,
    "nanogpt": claim_nanogpt,
    "gguf": claim_gguf,
}


@pytest.mark.parametrize("kind", CLAIM)
def test_claims_beyond_the_weights_are_refused_without_memory(tmp_path: Path, kind: str) -> None:
    for key in KEYS[kind]:
        for value in CLAIMS:
            folder = tmp_path / f"{key}-{value}"
            folder.mkdir()
            CLAIM[kind](folder, {key: value, **({"n_head": 1} if kind != "gguf" else {})})
            before = find_largest_memory()
            with pytest.raises(UserError):
                describe_checkpoint(folder)
            assert find_largest_memory() - before < MOST, (key, value)


def test_tensor_that_repeats_a_value_without_end_is_refused(tmp_path: Path) -> None:
    folder = write_nanogpt(tmp_path, NanoGPT())
    held = torch.load(folder / "ckpt.pt", weights_only=True)
    held["model_args"]["vocab_size"] = 10**9
    for name in ("_orig_mod.transformer.wte.weight", "_orig_mod.lm_head.weight"):
        held["model"][name] = torch.ones(1).expand(10**9, 8)
    torch.save(held, folder / "ckpt.pt")
    shutil.copy(ROOT / "examples/nano/encoder.json", folder)
    shutil.copy(ROOT / "examples/nano/vocab.bpe", folder)
    with pytest.raises(UserError, match="repeats the values of its storage"):
        describe_checkpoint(folder)
