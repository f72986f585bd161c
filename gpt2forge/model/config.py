"""The shape of a GPT-2, read from `config.json` as transformers writes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError

# What the graph computes is fixed for these; another value is refused by name instead of giving wrong logits.
FIXED = {
    "activation_function": "gelu_new",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}


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

    @property
    def head_width(self) -> int:
        return self.n_embd // self.n_head


def read_config(folder: Path) -> ModelConfig:
    """Read `folder/config.json`.

    Raises UserError when it is not a GPT-2, or one that varies what is not supported.
    """
    path = folder / "config.json"
    return parse_config(json.loads(path.read_text(encoding="utf-8")), path)


def parse_config(values: dict[str, Any], path: Path) -> ModelConfig:
    """Take the values of a `config.json`; `path` is named in errors."""
    if values.get("model_type", "gpt2") != "gpt2":
        raise UserError(f"{path}: model_type is `{values['model_type']}`; only `gpt2` can be built")
    for key, fixed in FIXED.items():
        if values.get(key, fixed) != fixed:
            raise UserError(f"{path}: `{key}: {values[key]}` is not built yet; only `{fixed}` is")
    try:
        width = values["n_embd"]
        config = ModelConfig(
            vocab_size=values["vocab_size"],
            n_positions=values.get("n_positions") or values["n_ctx"],
            n_embd=width,
            n_head=values["n_head"],
            n_layer=values["n_layer"],
            n_inner=values.get("n_inner") or 4 * width,
            layer_norm_epsilon=values.get("layer_norm_epsilon", 1e-5),
            tied=values.get("tie_word_embeddings", True),
            eos_token_id=values.get("eos_token_id", values["vocab_size"] - 1),
        )
    except KeyError as error:
        raise UserError(f"{path}: the key {error} is missing; is this a GPT-2?") from error
    if config.n_embd % config.n_head:
        raise UserError(f"{path}: n_embd {config.n_embd} is not a multiple of n_head {config.n_head}")
    return config
