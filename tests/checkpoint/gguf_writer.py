"""Writes GGUF files with llama.cpp's own package gguf, as its convert_hf_to_gguf.py writes a GPT-2.

The names of the tensors and of the special tokens are those that the package chooses.
"""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf")
pytest.importorskip("torch")

import gguf
import numpy as np
from transformers import AutoTokenizer, GPT2LMHeadModel

LINEAR = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")


def write_gguf(
    source: Path, path: Path, kind: str = "F32", *, pre: str | None = "gpt-2", metadata: dict[str, Any] | None = None
) -> Path:
    """Write the Hugging Face directory `source` as one GGUF file. Vectors and positions stay float32.

    `kind` is the type of the matrices: F32, F16, BF16, Q8_0. `metadata` are further texts.
    """
    model = GPT2LMHeadModel.from_pretrained(source)
    writer = gguf.GGUFWriter(path, "gpt2")
    config = model.config
    writer.add_block_count(config.n_layer)
    writer.add_context_length(config.n_positions)
    writer.add_embedding_length(config.n_embd)
    writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
    writer.add_head_count(config.n_head)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)
    add_tokenizer(writer, source, config.vocab_size, pre)
    for key, text in (metadata or {}).items():
        writer.add_string(key, text)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, config.n_layer)
    for name, tensor in model.state_dict().items():
        values = tensor.numpy()
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        matrix = np.ascontiguousarray(values.T if name.endswith(LINEAR) else values)
        add(writer, new, matrix, "F32" if values.ndim == 1 or name.endswith("wpe.weight") else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add(writer: Any, name: str, values: np.ndarray, kind: str) -> None:
    if kind == "F32":
        writer.add_tensor(name, values)
    else:
        quantization = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, gguf.quants.quantize(values, quantization), raw_dtype=quantization)


def add_tokenizer(writer: Any, source: Path, size: int, pre: str | None) -> None:
    """Add the tokens of AutoTokenizer, each with its type, and the merges and special tokens that the package finds."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    words = {number: token for token, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    kinds = gguf.TokenType
    types = [
        kinds.UNUSED
        if number not in words
        else (kinds.CONTROL if added[number].special else kinds.USER_DEFINED)
        if number in added
        else kinds.NORMAL
        for number in range(size)
    ]
    writer.add_tokenizer_model("gpt2")
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list([words.get(number, f"[PAD{number}]") for number in range(size)])
    writer.add_token_types(types)
    gguf.SpecialVocab(source, load_merges=True).add_to_gguf(writer)
