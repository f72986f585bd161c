"""The configuration of a GPT-2, read from `config.json` as transformers writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.other_models import refuse_other_models
from gpt2forge.checkpoint.token_ids import BEGIN, END, PAD, keep_inside, read_ids, take_first
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

# Keys whose other values change the logits in ways that the graph does not implement; other values are refused.
FIXED = {"add_cross_attention": False, "is_causal": True}
# The supported activations by every name that transformers' ACT2FN has for them, each with its one name in gpt2forge.
ACTIVATIONS = {
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"), "gelu_new"),
    **dict.fromkeys(("gelu", "gelu_python"), "gelu"),
    **dict.fromkeys(("silu", "swish"), "silu"),
    "relu": "relu",
    "tanh": "tanh",
}
# GPT2Config.attribute_map: second names of some keys. transformers prefers them if a file has both.
SECOND_NAMES = {
    "n_embd": "hidden_size",
    "n_positions": "max_position_embeddings",
    "n_head": "num_attention_heads",
    "n_layer": "num_hidden_layers",
}
LARGEST_COUNT = 1 << 31


@dataclass(frozen=True)
class ModelConfig:
    """The values that determine the shapes and the computation of a GPT-2, named as in `config.json`.

    Each of `ends`, `eos_token_id` in the file, ends a text; without any, text runs to its limit.
    `reorder_and_upcast_attn` asks for attention scores in float32. The graph always computes them in float32; the key
    is kept for programs that load the weights in a narrower type.
    """

    vocab_size: int
    n_positions: int
    n_embd: int
    n_head: int
    n_layer: int
    n_inner: int
    layer_norm_epsilon: float
    tied: bool
    ends: tuple[int, ...] = ()
    bos_token_id: int | None = None
    pad_token_id: int | None = None
    activation_function: str = "gelu_new"
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    reorder_and_upcast_attn: bool = False

    @property
    def head_width(self) -> int:
        return self.n_embd // self.n_head


def read_config(folder: Path) -> ModelConfig:
    """Read `folder/config.json`.

    Raises UserError if it is not a GPT-2, or a variant that is not supported.
    """
    path = folder / "config.json"
    return parse_config(read_object(path), path)


def parse_config(values: Mapping[str, Any], path: Path) -> ModelConfig:
    """Parse the values of a `config.json`; `path` is named in errors."""
    refuse_other_models(values, path)
    values = resolve_names(values, path)
    for key, fixed in FIXED.items():
        if values.get(key, fixed) != fixed:
            found = f"{key}: {json.dumps(values[key])}"
            raise UserError(f"{path}: {quote_untrusted(found)} cannot be built; only `{json.dumps(fixed)}` can")
    vocabulary = read_count(values, "vocab_size", path)
    config = ModelConfig(
        vocab_size=vocabulary,
        n_positions=read_count(values, "n_positions" if values.get("n_positions") is not None else "n_ctx", path),
        n_embd=(width := read_count(values, "n_embd", path)),
        n_head=read_count(values, "n_head", path),
        n_layer=read_count(values, "n_layer", path),
        n_inner=4 * width if values.get("n_inner") is None else read_count(values, "n_inner", path),
        layer_norm_epsilon=read_epsilon(values, path),
        tied=values.get("tie_word_embeddings", True) is not False,
        ends=keep_inside(read_ids(values, END, path), vocabulary),
        bos_token_id=read_token(values, BEGIN, path, vocabulary=vocabulary),
        pad_token_id=read_token(values, PAD, path, vocabulary=vocabulary),
        activation_function=read_activation(values, path),
        scale_attn_weights=read_flag(values, "scale_attn_weights", path, default=True),
        scale_attn_by_inverse_layer_idx=read_flag(values, "scale_attn_by_inverse_layer_idx", path, default=False),
        reorder_and_upcast_attn=read_flag(values, "reorder_and_upcast_attn", path, default=False),
    )
    if config.n_embd % config.n_head:
        raise UserError(f"{path}: n_embd {config.n_embd} is not a multiple of n_head {config.n_head}")
    return config


def resolve_names(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the values with every key under its first name. Raises UserError if the two names of a key disagree."""
    resolved = dict(values)
    for first, second in SECOND_NAMES.items():
        if second in values:
            if values.get(first, values[second]) != values[second]:
                both = " and ".join(quote_untrusted(f"{name}: {values[name]}") for name in (first, second))
                raise UserError(f"{path}: {both} are two names of one key; keep the right one")
            resolved[first] = values[second]
    return resolved


def read_activation(values: Mapping[str, Any], path: Path) -> str:
    """Return the activation by its name in gpt2forge. Raises UserError if it is not supported."""
    value = values.get("activation_function", "gelu_new")
    if not isinstance(value, str) or value not in ACTIVATIONS:
        known = ", ".join(f"`{name}`" for name in dict.fromkeys(ACTIVATIONS.values()))
        raise UserError(f"{path}: {quote_untrusted(f'activation_function: {value}')} cannot be built; only {known} can")
    return ACTIVATIONS[value]


def read_flag(values: Mapping[str, Any], key: str, path: Path, *, default: bool) -> bool:
    value = values.get(key, default)
    if not isinstance(value, bool):
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {json.dumps(value)}')} is neither `true` nor `false`")
    return value


def read_count(values: Mapping[str, Any], key: str, path: Path) -> int:
    """Return a positive whole number. Raises UserError if it is missing or anything else."""
    if key not in values:
        raise UserError(f"{path}: the key `{key}` is missing; is this a GPT-2?")
    value = values[key]
    if type(value) is not int or not 0 < value < LARGEST_COUNT:
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {value}')} is not a count; is this a GPT-2?")
    return value


def read_epsilon(values: Mapping[str, Any], path: Path) -> float:
    value = values.get("layer_norm_epsilon", 1e-5)
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise UserError(f"{path}: {quote_untrusted(f'layer_norm_epsilon: {value}')} is not a number from 0 to 1")
    return float(value)


def read_token(values: Mapping[str, Any], key: str, path: Path, *, vocabulary: int) -> int | None:
    """Return the id of a token, None if there is none inside the vocabulary."""
    return take_first(keep_inside(read_ids(values, key, path), vocabulary))
