"""Saves a GPT-2 as OpenAI published theirs: a TF1 checkpoint, written by TensorFlow's own Saver.

TensorFlow runs in a process and an environment of its own.
"""

import json
from pathlib import Path

import numpy as np
from transformers import GPT2LMHeadModel

from interop.tensorflow_process import save_variables

LEAF = {
    "ln_1": {"weight": "g", "bias": "b"},
    "ln_2": {"weight": "g", "bias": "b"},
    "ln_f": {"weight": "g", "bias": "b"},
}
LINEAR = {"weight": "w", "bias": "b"}


def name_tensor(name: str) -> str:
    """`transformer.h.0.attn.c_attn.weight` -> `model/h0/attn/c_attn/w`."""
    *parts, leaf = name.removeprefix("transformer.").split(".")
    if parts in (["wte"], ["wpe"]):
        return f"model/{parts[0]}"
    layer = [f"h{parts[1]}", *parts[2:]] if parts[0] == "h" else parts
    return "/".join(["model", *layer, LEAF.get(parts[-1], LINEAR)[leaf]])


def collect_tensors(model: GPT2LMHeadModel) -> dict[str, np.ndarray]:
    """The weights by OpenAI's names; a linear layer's is [1, in, out], as their convolution wanted it."""
    tensors = {}
    for name, weight in model.state_dict().items():
        if name != "lm_head.weight":  # tied: it is wte
            published = name_tensor(name)
            values = weight.numpy()
            tensors[published] = values[None] if published.endswith("/w") else values
    return tensors


def save_checkpoint(model: GPT2LMHeadModel, folder: Path) -> None:
    """Write checkpoint, model.ckpt.{index,data,meta} and hparams.json.

    Raises EnvironmentFault or TensorFlowFault.
    """
    save_variables(collect_tensors(model), folder / "model.ckpt")
    # TensorFlow wrote the pointer with the whole path where it is absolute; a folder that moves wants the name.
    pointer = 'model_checkpoint_path: "model.ckpt"\nall_model_checkpoint_paths: "model.ckpt"\n'
    (folder / "checkpoint").write_text(pointer, encoding="utf-8")
    config = model.config
    numbers = {"n_vocab": config.vocab_size, "n_ctx": config.n_positions, "n_embd": config.n_embd}
    numbers |= {"n_head": config.n_head, "n_layer": config.n_layer}
    (folder / "hparams.json").write_text(json.dumps(numbers), encoding="utf-8")
