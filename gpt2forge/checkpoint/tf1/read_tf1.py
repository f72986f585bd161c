"""Reads a GPT-2 as OpenAI published it, without TensorFlow: hparams.json, and where each tensor lies in the shards."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_count
from gpt2forge.checkpoint.contents import Contents, LeftOut, SourceTensor, check_apart, check_tensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.names import TensorSpec, list_specs
from gpt2forge.checkpoint.tf1.bundle_index import BundleEntry, read_bundle
from gpt2forge.checkpoint.tf1.leveldb import unmask
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError

LAYER_NORM_EPSILON = 1e-5  # fixed in OpenAI's code
STEP = re.compile(r"-(\d{1,18})\.index$", re.ASCII)


def read_tf1(checkpoint: Checkpoint, eos_token_id: int) -> Contents:
    """Find where every tensor of the model lies. It reads the index, not the weights.

    Raises UserError if a tensor is missing, has another shape than hparams.json implies, or lies outside its shard.
    """
    hparams, index = checkpoint.folder / "hparams.json", find_index(checkpoint)
    config = read_hparams(hparams, eos_token_id)
    entries = read_bundle(index, len(checkpoint.weights))
    if f"model/h{config.n_layer}/ln_1/g" in entries:
        raise UserError(f"{index}: has more layers than {hparams} says ({config.n_layer}); correct n_layer")
    specs = []
    for spec in list_specs(config):  # stops at the first missing tensor, however many layers hparams.json claims
        if spec.openai not in entries:
            raise UserError(f"{index}: `{spec.openai}` {list(spec.openai_shape)} is missing; is this a GPT-2?")
        specs.append(spec)
    tensors = tuple(locate(checkpoint, spec, entries[spec.openai]) for spec in specs)
    check_apart(tensors)
    known = {spec.openai for spec in specs}
    left_out = tuple(LeftOut(name, entry.dtype, entry.size) for name, entry in entries.items() if name not in known)
    return Contents(config, tensors, left_out, read_step(checkpoint, entries))


def find_index(checkpoint: Checkpoint) -> Path:
    """Return the path of the file that lists the tensors."""
    return checkpoint.folder / next(name for name in checkpoint.files if name.endswith(".index"))


def read_hparams(path: Path, eos_token_id: int) -> ModelConfig:
    """Read OpenAI's hparams.json. Raises UserError if a number is missing or not a count."""
    values = read_object(path)
    width = read_count(values, "n_embd", path)
    heads = read_count(values, "n_head", path)
    if width % heads:
        raise UserError(f"{path}: n_embd {width} is not a multiple of n_head {heads}")
    return ModelConfig(
        vocab_size=read_count(values, "n_vocab", path),
        n_positions=read_count(values, "n_ctx", path),
        n_embd=width,
        n_head=heads,
        n_layer=read_count(values, "n_layer", path),
        n_inner=4 * width,
        layer_norm_epsilon=LAYER_NORM_EPSILON,
        tied=True,
        ends=(eos_token_id,),
        bos_token_id=eos_token_id,
    )


def locate(checkpoint: Checkpoint, spec: TensorSpec, entry: BundleEntry) -> SourceTensor:
    """Check an entry of the index against the model and the shards."""
    index, count = find_index(checkpoint), len(checkpoint.weights)
    if entry.sliced:
        raise UserError(
            f"{index}: `{spec.openai}` was saved in partitions, which is not supported; "
            "save the checkpoint without a partitioner"
        )
    if entry.shard >= count:
        raise UserError(f"{index}: `{spec.openai}` lies in shard {entry.shard} of {count}")
    tensor = SourceTensor(
        name=spec.name,
        dtype=entry.dtype,
        shape=entry.shape,
        path=checkpoint.folder / checkpoint.weights[entry.shard],
        offset=entry.offset,
        nbytes=entry.size,
        crc=unmask(entry.crc),
    )
    hparams = checkpoint.folder / "hparams.json"
    check_tensor(tensor, shape=spec.openai_shape, config=hparams, index=index, name=spec.openai)
    return replace(tensor, shape=spec.shape)


def read_step(checkpoint: Checkpoint, entries: Mapping[str, BundleEntry]) -> int | None:
    """Return the training step: from the checkpoint's name (`model-1000`), else from the tensor `global_step`."""
    match = STEP.search(find_index(checkpoint).name)
    if match:
        return int(match[1])
    entry = entries.get("global_step")
    if entry is None or entry.dtype != "I64" or entry.size != 8 or entry.shard >= len(checkpoint.weights):
        return None
    path = checkpoint.folder / checkpoint.weights[entry.shard]
    if not 0 <= entry.offset <= path.stat().st_size - entry.size:
        return None
    with path.open("rb") as file:
        file.seek(entry.offset)
        return int.from_bytes(file.read(8), "little", signed=True)
