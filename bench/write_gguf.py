"""Writes a Hugging Face directory as a GGUF file with llama.cpp's own package, as its convert_hf_to_gguf.py does."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.torch import load_file

from bench.shapes import Shape
from gpt2forge.checkpoint.model_folder import WEIGHTS

LINEAR = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
TYPES = {"F32": np.float32, "F16": np.float16}
EPSILON = 1e-5


def write_gguf(source: Path, path: Path, shape: Shape, kind: str) -> None:
    """Write matrices as `kind`, vectors and positions as float32. One tensor is in memory at once."""
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(4 * shape.n_embd)
    writer.add_head_count(shape.n_head)
    writer.add_layer_norm_eps(EPSILON)
    add_tokenizer(writer, source)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, shape.n_layer)
    tensors = {name: values.numpy() for name, values in load_file(source / WEIGHTS).items()}  # mapped, not in memory
    for name, values in tensors.items():
        kept = choose_type(name, values, kind)
        lengths = values.T.shape if name.endswith(LINEAR) else values.shape
        known = names.get_name(name, try_suffixes=(".weight", ".bias")) or name
        writer.add_tensor_info(known, lengths, np.dtype(kept), kept().itemsize * values.size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, values in tensors.items():
        turned = values.T if name.endswith(LINEAR) else values
        writer.write_tensor_data(np.ascontiguousarray(turned, choose_type(name, values, kind)))
    writer.close()


def choose_type(name: str, values: "np.ndarray[Any, Any]", kind: str) -> Any:
    """Return the type in which a tensor is stored."""
    return np.float32 if values.ndim == 1 or name.endswith("wpe.weight") else TYPES[kind]


def add_tokenizer(writer: Any, source: Path) -> None:
    """Add the tokens in order, their types, and the merges and special tokens that the package finds."""
    ids = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    tokens = sorted(ids, key=ids.get)
    special = json.loads((source / "special_tokens_map.json").read_text(encoding="utf-8")).values()
    kinds = gguf.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([kinds.CONTROL if token in special else kinds.NORMAL for token in tokens])
    gguf.SpecialVocab(source, load_merges=True).add_to_gguf(writer)
