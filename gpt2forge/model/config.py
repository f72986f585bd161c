"""The shape of a GPT-2, read from `config.json` as transformers writes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gpt2forge.errors import UserError
from gpt2forge.model.texts import quote, read_object

# What the graph computes is fixed for these; another value is refused by name instead of giving wrong logits.
FIXED = {
    "activation_function": "gelu_new",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}
LARGEST_COUNT = 1 << 31
Default = TypeVar("Default", int, None)


@dataclass(frozen=True)
class ModelConfig:
    """The numbers that decide every shape of a GPT-2."""

    vocab_size: int
    n_positions: int
    n_embd: int
    n_head: int
    n_layer: int
    n_inner: int
    layer_norm_epsilon: float
    tied: bool
    eos_token_id: int
    bos_token_id: int | None = None

    @property
    def head_width(self) -> int:
        return self.n_embd // self.n_head


def read_config(folder: Path) -> ModelConfig:
    """Read `folder/config.json`.

    Raises UserError when it is not a GPT-2, or one that varies what is not supported.
    """
    path = folder / "config.json"
    return parse_config(read_object(path), path)


def parse_config(values: Mapping[str, Any], path: Path) -> ModelConfig:
    """Take the values of a `config.json`; `path` is named in errors."""
    if values.get("model_type", "gpt2") != "gpt2":
        raise UserError(f"{path}: model_type is {quote(values['model_type'])}; only `gpt2` can be built")
    for key, fixed in FIXED.items():
        if values.get(key, fixed) != fixed:
            raise UserError(f"{path}: {quote(f'{key}: {values[key]}')} is not built yet; only `{fixed}` is")
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
        eos_token_id=read_token(values, "eos_token_id", vocabulary, path, vocabulary - 1),
        bos_token_id=read_token(values, "bos_token_id", vocabulary, path, None),
    )
    if config.n_embd % config.n_head:
        raise UserError(f"{path}: n_embd {config.n_embd} is not a multiple of n_head {config.n_head}")
    return config


def read_count(values: Mapping[str, Any], key: str, path: Path) -> int:
    """Take a positive whole number; raises UserError where it is missing or something else."""
    if key not in values:
        raise UserError(f"{path}: the key `{key}` is missing; is this a GPT-2?")
    value = values[key]
    if type(value) is not int or not 0 < value < LARGEST_COUNT:
        raise UserError(f"{path}: {quote(f'{key}: {value}')} is not a count; is this a GPT-2?")
    return value


def read_epsilon(values: Mapping[str, Any], path: Path) -> float:
    value = values.get("layer_norm_epsilon", 1e-5)
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise UserError(f"{path}: {quote(f'layer_norm_epsilon: {value}')} is not a number from 0 to 1")
    return float(value)


def read_token(values: Mapping[str, Any], key: str, vocabulary: int, path: Path, default: Default) -> int | Default:
    """Take the id of a token; `default` where there is none."""
    value = values.get(key)
    if value is None:
        return default
    if type(value) is not int or not 0 <= value < vocabulary:
        raise UserError(f"{path}: {quote(f'{key}: {value}')} is not the id of one of {vocabulary} tokens")
    return value
