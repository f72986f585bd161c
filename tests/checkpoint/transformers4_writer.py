"""Lets transformers 4, the last to have other frameworks, write a tiny GPT-2 as flax_model.msgpack or tf_model.h5.

    python tests/checkpoint/transformers4_writer.py flax FOLDER    with transformers 4.57.6, flax 0.10.6, jax 0.5.3
    python tests/checkpoint/transformers4_writer.py tf FOLDER      with transformers 4.57.6, tf-keras, TensorFlow

It wrote tests/data/flax and tests/data/tf2. The weights are those of `make_values`, which every tensor's name decides.
"""

import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from transformers import GPT2Config

CONFIG = {
    "vocab_size": 260,
    "n_positions": 8,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 2,
    "bos_token_id": 0,
    "eos_token_id": 0,
}


def make_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make the values of a tensor from its name in the framework."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return (0.3 * random.standard_normal(shape)).astype(np.float32)


def fill(parameters: dict[str, Any], path: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        key: fill(value, (*path, key)) if isinstance(value, dict) else make_values(".".join((*path, key)), value.shape)
        for key, value in parameters.items()
    }


def write_flax(folder: Path) -> None:
    from transformers import FlaxGPT2LMHeadModel

    model = FlaxGPT2LMHeadModel(GPT2Config(**CONFIG))
    model.params = fill(model.params)
    model.save_pretrained(folder)
    np.savez_compressed(folder / "logits.npz", np.asarray(model(make_ids()).logits))


def write_tf(folder: Path) -> None:
    from transformers import TFGPT2LMHeadModel

    model = TFGPT2LMHeadModel(GPT2Config(**CONFIG))
    model(make_ids())
    for weight in model.weights:
        weight.assign(make_values(weight.name, tuple(weight.shape)))
    model.save_pretrained(folder, safe_serialization=False)
    np.savez_compressed(folder / "logits.npz", model(make_ids()).logits.numpy())


def make_ids() -> np.ndarray:
    return np.array([[5, 250, 17, 3, 99, 0, 1]], np.int32)


if __name__ == "__main__":
    {"flax": write_flax, "tf": write_tf}[sys.argv[1]](Path(sys.argv[2]))
