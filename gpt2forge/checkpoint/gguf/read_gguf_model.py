"""Reads a GPT-2 from a GGUF file: its configuration, and where each tensor lies."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.config import ModelConfig, parse_config
from gpt2forge.checkpoint.contents import Contents, SourceTensor, check_apart
from gpt2forge.checkpoint.derive_tensors import transpose
from gpt2forge.checkpoint.gguf.gguf_file import GgufFile, GgufTensor, read_gguf
from gpt2forge.checkpoint.gguf.gguf_names import is_transposed, translate_name
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.checkpoint.token_ids import BEGIN, END, PAD, Named, read_ids
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

ARCHITECTURE = "gpt2"
KEYS = {
    "n_positions": "context_length",
    "n_embd": "embedding_length",
    "n_head": "attention.head_count",
    "n_layer": "block_count",
    "n_inner": "feed_forward_length",
}
TOKENS = {
    BEGIN: "tokenizer.ggml.bos_token_id",
    END: "tokenizer.ggml.eos_token_id",
    PAD: "tokenizer.ggml.padding_token_id",
}
SPLIT_NOTE = (
    "the file does not say how its tokenizer splits text (`tokenizer.ggml.pre`); it is split as GPT-2 does, so "
    "compare some ids with those of the model that it was made of"
)


def read_gguf_model(path: Path) -> Contents:
    """Find where every tensor of the model lies. It reads the header, not the weights.

    Raises UserError for another architecture, quantized weights, or a tensor that is missing or has another shape.
    """
    file = read_gguf(path)
    config = read_gguf_config(file, path)
    for tensor in file.tensors.values():
        refuse_quantized(tensor, path)
    stored = {name: make_source(tensor, path) for name, tensor in file.tensors.items()}
    check_apart(tuple(stored.values()))
    found = {
        translate_name(name): transpose(tensor) if is_transposed(name) else tensor for name, tensor in stored.items()
    }
    contents = match_tensors(config, found, path)
    is_known = file.metadata.get("tokenizer.ggml.pre", "default") != "default"
    notes = () if is_known else (SPLIT_NOTE,)
    return replace(contents, named=read_tokens(file, path), notes=(*contents.notes, *notes))


def read_gguf_config(file: GgufFile, path: Path) -> ModelConfig:
    """Read the configuration from the metadata. llama.cpp's GPT-2 has GELU's tanh form and no other choice."""
    metadata = file.metadata
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise UserError(f"{path}: a GGUF of the architecture {quote_untrusted(architecture)}; only `gpt2` can be built")
    values: dict[str, Any] = {"activation_function": "gelu_new"}
    values |= {key: metadata[name] for key, name in locate_keys(metadata).items()}
    table = file.tensors.get("token_embd.weight")
    if table is not None:
        values["vocab_size"] = table.shape[0]
    epsilon = metadata.get(f"{ARCHITECTURE}.attention.layer_norm_epsilon")
    if isinstance(epsilon, float) and 0 <= epsilon < 1:
        epsilon = shorten(epsilon)
    if epsilon is not None:
        values["layer_norm_epsilon"] = epsilon
    return parse_config(values, path)


def locate_keys(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of the metadata that are there, by their names in a config.json."""
    names = {key: f"{ARCHITECTURE}.{name}" for key, name in KEYS.items()}
    return {key: name for key, name in names.items() if name in metadata}


def read_tokens(file: GgufFile, path: Path) -> tuple[Named, ...]:
    """Return the ids that the metadata name. Raises UserError if one is no id."""
    values = {key: file.metadata.get(name) for key, name in TOKENS.items()}
    return tuple(Named(key, {path.name: read_ids(values, key, path)}) for key in TOKENS)


def shorten(value: float) -> float:
    """Return the shortest decimal number that is this float32: 1e-05 for 9.999999747378752e-06."""
    shorter = (float(f"{value:.{digits}g}") for digits in range(1, 9))
    return next((number for number in shorter if struct.pack("<f", number) == struct.pack("<f", value)), value)


def refuse_quantized(tensor: GgufTensor, path: Path) -> None:
    """Raise UserError for a tensor whose type is not one of ITEM_SIZES."""
    if tensor.dtype not in ITEM_SIZES:
        raise UserError(
            f"{path}: {quote_untrusted(tensor.name)} is stored as {tensor.dtype}, and only F32, F16 and BF16 can be "
            "read; use the model that it was made of, or `llama-quantize --allow-requantize IN OUT F32`"
        )


def make_source(tensor: GgufTensor, path: Path) -> SourceTensor:
    """Return a tensor of the header as one of a checkpoint."""
    return SourceTensor(
        tensor.name, tensor.dtype, shape=tensor.shape, path=path, offset=tensor.offset, nbytes=tensor.nbytes
    )
