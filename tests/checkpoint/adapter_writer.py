"""Writes adapters in the files and names of peft 0.21. tests/checkpoint/peft_cases.py compares them with peft itself."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import save_file

LAYERS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
SIZES = {"attn.c_attn": (8, 24), "attn.c_proj": (8, 8), "mlp.c_fc": (8, 32), "mlp.c_proj": (32, 8), "lm_head": (8, 260)}
CONFIG = {
    "alora_invocation_tokens": None, "alpha_pattern": {}, "arrow_config": None, "auto_mapping": None,
    "base_model_name_or_path": "base", "bias": "none", "corda_config": None, "ensure_weight_tying": False,
    "eva_config": None, "exclude_modules": None, "fan_in_fan_out": True, "inference_mode": True,
    "init_lora_weights": True, "kasa_config": None, "layer_replication": None, "layers_pattern": None,
    "layers_to_transform": None, "loftq_config": {}, "lora_alpha": 8, "lora_bias": False, "lora_dropout": 0.0,
    "lora_ga_config": None, "megatron_config": None, "megatron_core": "megatron.core", "modules_to_save": None,
    "monteclora_config": None, "peft_type": "LORA", "peft_version": "0.21.2", "qalora_group_size": 16, "r": 4,
    "rank_pattern": {}, "revision": None, "target_modules": list(LAYERS), "target_parameters": None,
    "task_type": "CAUSAL_LM", "trainable_token_indices": None, "use_bdlora": None, "use_dora": False,
    "use_qalora": False, "use_rslora": False, "velora_config": None,
}  # fmt: skip
"""The values that peft 0.21 writes and a test does not change."""


def make_products(*layers: str, ranks: dict[str, int] | None = None) -> dict[str, torch.Tensor]:
    """Make random matrices for these layers by peft's names; layers inside the model begin with `h.`."""
    torch.manual_seed(5)
    found = {}
    for layer in layers:
        inner, outer = SIZES[".".join(layer.split(".")[-2:])]
        rank = (ranks or {}).get(layer, 4)
        name = f"base_model.model.{layer if layer == 'lm_head' else f'transformer.{layer}'}"
        found[f"{name}.lora_A.weight"] = 0.3 * torch.randn(rank, inner)
        found[f"{name}.lora_B.weight"] = 0.3 * torch.randn(outer, rank)
    return found


def write_adapter(folder: Path, tensors: dict[str, Any], form: str = "safetensors", **config: Any) -> Path:
    """Write an adapter; `config` are changes of CONFIG."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    if form == "bin":
        torch.save(tensors, folder / "adapter_model.bin")
    else:
        save_file({name: values.contiguous() for name, values in tensors.items()}, folder / "adapter_model.safetensors")
    return folder
