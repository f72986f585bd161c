"""Writes the weights of a Hugging Face directory once more, in the other formats that checkpoints have.

Each writer gets the directory, mapped and not in memory, and an empty folder. The libraries are those that the formats
come from, but for flax, whose file is a mapping of names to arrays in msgpack.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from bench.shapes import Shape
from bench.write_gguf import write_gguf
from bench.write_msgpack import write_msgpack
from gpt2forge.checkpoint.model_folder import WEIGHTS
from interop.tensorflow_process import run_modules

LINEAR = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
SHARDS = 4
BIN = "pytorch_model.bin"
KERAS = "transformer/tfgpt2lm_head_model/"

Writer = Callable[[Path, Path, Shape], None]
"""Takes the Hugging Face directory, the folder to write to, and the shape of the model."""

Tensors = Mapping[str, torch.Tensor]


def copy_texts(source: Path, folder: Path, *left_out: str) -> None:
    """Copy the configuration and the tokenizer, without these files."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(WEIGHTS, *left_out), dirs_exist_ok=True)


def write_bin(source: Path, folder: Path, shape: Shape) -> None:
    copy_texts(source, folder)
    torch.save(load_file(source / WEIGHTS), folder / BIN)


def write_safetensors_shards(source: Path, folder: Path, shape: Shape) -> None:
    copy_texts(source, folder)
    write_shards(load_file(source / WEIGHTS), folder / WEIGHTS, save_file)


def write_bin_shards(source: Path, folder: Path, shape: Shape) -> None:
    copy_texts(source, folder)
    write_shards(load_file(source / WEIGHTS), folder / BIN, torch.save)


def write_shards(tensors: Tensors, path: Path, save: Callable[[dict[str, torch.Tensor], Path], object]) -> None:
    """Write every fourth tensor into each of SHARDS files beside `path`, and the index that names them."""
    owners: dict[str, str] = {}
    for number in range(SHARDS):
        name = f"{path.stem}-{number + 1:05}-of-{SHARDS:05}{path.suffix}"
        part = {key: tensors[key] for key in list(tensors)[number::SHARDS]}
        save(part, path.with_name(name))
        owners |= dict.fromkeys(part, name)
    index = path.with_name(f"{path.name}.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": owners}), encoding="utf-8")


def write_nanogpt(source: Path, folder: Path, shape: Shape) -> None:
    """Write ckpt.pt as nanoGPT's train.py does, without the state of an optimizer."""
    copy_texts(source, folder, "*config.json")
    tensors = load_file(source / WEIGHTS)
    model = {f"_orig_mod.{name}": turn(name, values) for name, values in tensors.items()}
    sizes = {key: getattr(shape, key) for key in ("n_layer", "n_head", "n_embd")}
    args = {**sizes, "block_size": shape.n_ctx, "vocab_size": shape.n_vocab, "bias": True, "dropout": 0.0}
    torch.save({"model": model, "model_args": args, "iter_num": 1, "config": {}}, folder / "ckpt.pt")


def turn(name: str, values: torch.Tensor) -> torch.Tensor:
    """Return a tensor as frameworks hold it whose linear layers are [out, in]."""
    return values.T.contiguous() if name.endswith(LINEAR) else values


def write_keras(source: Path, folder: Path, shape: Shape) -> None:
    """Write tf_model.h5 as transformers 4 does: a dataset for each variable, with a row for a linear layer's bias."""
    import h5py

    copy_texts(source, folder)
    with h5py.File(folder / "tf_model.h5", "w") as file:
        for name, values in load_file(source / WEIGHTS).items():
            is_row = name.endswith((".c_attn.bias", ".c_proj.bias", ".c_fc.bias"))
            file[name_keras(name)] = (values[None] if is_row else values).numpy()


def name_keras(name: str) -> str:
    """Return the path of a variable in tf_model.h5."""
    *layers, last = name.split(".")
    if layers[-1] in ("wte", "wpe"):
        last = "embeddings"
    elif layers[-1].startswith("ln_"):
        last = {"weight": "gamma", "bias": "beta"}[last]
    return f"{KERAS}{'/'.join(layers).replace('/h/', '/h_._')}/{last}:0"


def write_flax(source: Path, folder: Path, shape: Shape) -> None:
    """Write flax_model.msgpack as transformers 4 does."""
    copy_texts(source, folder)
    tree: dict[str, Any] = {}
    for name, values in load_file(source / WEIGHTS).items():
        *layers, last = name_flax(name)
        node = tree
        for layer in layers:
            node = node.setdefault(layer, {})
        node[last] = partial(turn_array, name, values)
    with (folder / "flax_model.msgpack").open("wb") as file:
        write_msgpack(file, tree)


def turn_array(name: str, values: torch.Tensor) -> Any:
    return turn(name, values).numpy()


def name_flax(name: str) -> list[str]:
    """Return the keys that lead to a tensor in flax's mapping."""
    *layers, last = name.split(".")
    if name.endswith(LINEAR):
        return [*layers, "kernel"]
    if last == "weight":
        return [*layers, "scale" if layers[-1].startswith("ln_") else "embedding"]
    return [*layers, last]


def write_objects(source: Path, folder: Path, shape: Shape) -> None:
    """Let TensorFlow write a checkpoint of objects, with values from a seed."""
    copy_texts(source, folder)
    run_modules(("bench.object_checkpoint", str(folder.absolute()), "--shape", json.dumps(asdict(shape))))


WRITERS: Mapping[str, Writer] = {
    BIN: write_bin,
    f"{SHARDS} shards of {WEIGHTS}": write_safetensors_shards,
    f"{SHARDS} shards of {BIN}": write_bin_shards,
    "nanoGPT's ckpt.pt": write_nanogpt,
    "GGUF F32": lambda source, folder, shape: write_gguf(source, folder / "model.gguf", shape, "F32"),
    "GGUF F16": lambda source, folder, shape: write_gguf(source, folder / "model.gguf", shape, "F16"),
    "tf_model.h5": write_keras,
    "flax_model.msgpack": write_flax,
    "TensorFlow 2": write_objects,
}
"""The writers by the name of the format in the tables."""
