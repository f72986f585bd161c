"""The configuration of a LoRA adapter, read from `adapter_config.json` as peft writes it.

The tensors in the adapter's file show which layers it changes, so the keys that select layers are not read. A key that
is not known here may change the result, so it must be off: null, false or empty.

https://huggingface.co/docs/peft/package_reference/lora
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

CONFIG = "adapter_config.json"
READ = ("peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "init_lora_weights")
# `fan_in_fan_out` is among them: peft sets it by the kind of the layer, whatever the file says.
WITHOUT_EFFECT = (
    *("auto_mapping", "base_model_name_or_path", "bias", "ensure_weight_tying", "eva_config", "exclude_modules"),
    *("fan_in_fan_out", "inference_mode", "layers_pattern", "layers_to_transform", "lora_dropout", "megatron_core"),
    *("merge_weights", "modules_to_save", "peft_version", "qalora_group_size", "revision", "runtime_config"),
    *("target_modules", "task_type"),
)
# Other ways to start a training change the weights of the model itself.
STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
Number = TypeVar("Number", int, float)
LAYER = re.compile(r"\^?([A-Za-z0-9_.]+)", re.ASCII)
MERGE = "merge it with peft's `model.merge_and_unload()`, and save the model"


@dataclass(frozen=True)
class AdapterConfig:
    """The values that determine the weights of a merged adapter.

    The patterns give layers their own rank or alpha, by their names or the ends of their names.
    """

    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    by_root: bool

    def find_rank(self, layer: str) -> int:
        return find_value(self.ranks, layer, self.rank)

    def find_scale(self, layer: str) -> float:
        """Return the factor of a layer's product; with `use_rslora` it falls with the root of the rank."""
        rank = self.find_rank(layer)
        return find_value(self.alphas, layer, self.alpha) / (math.sqrt(rank) if self.by_root else rank)


def find_value(pattern: Mapping[str, Number], layer: str, default: Number) -> Number:
    """Return the value of the first key that is the name of a layer, or the end of it, as peft does."""
    for key, value in pattern.items():
        name = key.removeprefix("^")
        if layer == name or (name == key and layer.endswith(f".{name}")):
            return value
    return default


def read_adapter_config(path: Path) -> AdapterConfig:
    """Read an adapter_config.json. Raises UserError if it is not a LoRA adapter, or a variant that is not supported."""
    values = read_object(path)
    if values.get("peft_type") != "LORA":
        raise UserError(f"{path}: peft_type is {quote_untrusted(values.get('peft_type'))}; only `LORA` can be merged")
    for key, value in values.items():
        is_known = key in READ or key in WITHOUT_EFFECT
        if (not is_known and value) or (key == "init_lora_weights" and value not in STARTS):
            shown = quote_untrusted(f"{key}: {value}")
            raise UserError(f"{path}: {shown} cannot be merged here; {MERGE}")
    return AdapterConfig(
        rank=check_rank("r", values.get("r"), path),
        alpha=check_alpha("lora_alpha", values.get("lora_alpha"), path),
        ranks={key: check_rank(key, value, path) for key, value in read_pattern(values, "rank_pattern", path).items()},
        alphas={
            key: check_alpha(key, value, path) for key, value in read_pattern(values, "alpha_pattern", path).items()
        },
        by_root=values.get("use_rslora") is True,
    )


def read_pattern(values: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """Return the values by layer. Raises UserError if a layer is given by a regular expression."""
    pattern = values.get(key) or {}
    if not isinstance(pattern, dict):
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {pattern}')} is no mapping")
    for name in pattern:
        if not LAYER.fullmatch(name.replace("\\.", ".")):
            raise UserError(f"{path}: `{key}` has {quote_untrusted(name)}, which is no name of a layer; {MERGE}")
    return {name.replace("\\.", "."): value for name, value in pattern.items()}


def check_rank(key: str, value: Any, path: Path) -> int:
    if type(value) is not int or value < 1:
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {value}')} is not a rank")
    return value


def check_alpha(key: str, value: Any, path: Path) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise UserError(f"{path}: {quote_untrusted(f'{key}: {value}')} is not a number")
    return float(value)
