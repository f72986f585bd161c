"""Writes a folder that `GPT2LMHeadModel.from_pretrained` loads: the weights and the configuration."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.read_tensors import make_buffers, read_pieces
from gpt2forge.checkpoint.token_ids import BEGIN, END, PAD, ROLES, take_first
from gpt2forge.checkpoint.write_safetensors import write_float32
from gpt2forge.checkpoint.write_tokenizer import write_json
from gpt2forge.digest import Written
from gpt2forge.errors import UserError

WEIGHTS = "model.safetensors"

ReportBytes = Callable[[int, int], None]
"""Takes how many bytes are done, and how many there are in all."""


def write_weights(tensors: tuple[SourceTensor, ...], folder: Path, report: ReportBytes) -> Written:
    """Write the tensors as float32 to model.safetensors, a piece at a time, hashing them on the way.

    Raises UserError if a tensor's bytes do not match their checksum, or if a value is not finite.
    """
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    return write_float32(folder / WEIGHTS, shapes, stream(tensors, report))


def stream(tensors: tuple[SourceTensor, ...], report: ReportBytes) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the values of all tensors in order. Each piece is valid until the next but one is requested."""
    done, total = 0, sum(4 * tensor.count for tensor in tensors)
    buffers = make_buffers()
    for tensor in tensors:
        is_finite = True
        for piece in read_pieces(tensor, buffers):
            is_finite = is_finite and bool(np.isfinite(piece).all())
            yield piece
            done += piece.nbytes
            report(done, total)
        if not is_finite:  # checked after the checksum, whose message names the better reason
            raise UserError(
                f"{tensor.path}: `{tensor.name}` holds values that are not finite; start from an earlier checkpoint"
            )


def write_config(config: ModelConfig, generation: dict[str, Any], folder: Path) -> None:
    """Write config.json and generation_config.json; `generation` holds the source's settings for generating text.

    The ids of tokens are those of `config`. config.json says `null` where there is none, as transformers would take
    50256 instead.
    """
    tokens = list_token_ids(config)
    values = {
        BEGIN: None,
        END: None,
        **tokens,
        "activation_function": config.activation_function,
        "add_cross_attention": False,
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "dtype": "float32",
        "embd_pdrop": 0.1,
        "initializer_range": 0.02,
        "layer_norm_epsilon": config.layer_norm_epsilon,
        "model_type": "gpt2",
        "n_ctx": config.n_positions,
        "n_embd": config.n_embd,
        "n_head": config.n_head,
        "n_inner": config.n_inner,
        "n_layer": config.n_layer,
        "n_positions": config.n_positions,
        "reorder_and_upcast_attn": config.reorder_and_upcast_attn,
        "resid_pdrop": 0.1,
        "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
        "scale_attn_weights": config.scale_attn_weights,
        "tie_word_embeddings": config.tied,
        "use_cache": True,
        "vocab_size": config.vocab_size,
    }
    write_json(folder / "config.json", values)
    settings = {key: value for key, value in generation.items() if key not in ROLES}
    write_json(folder / "generation_config.json", {**settings, **tokens})


def list_token_ids(config: ModelConfig) -> dict[str, int | list[int]]:
    """Return the tokens that begin, end and pad a text, by their keys in config.json; the absent are left out."""
    ends = list(config.ends) if len(config.ends) > 1 else take_first(config.ends)
    found = {BEGIN: config.bos_token_id, END: ends, PAD: config.pad_token_id}
    return {key: value for key, value in found.items() if value is not None}
