"""Reads a GPT-2 as OpenAI published it, without TensorFlow: hparams.json, and where each tensor lies in the shards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_count
from gpt2forge.checkpoint.contents import Contents, LeftOut, SourceTensor, check_apart, check_tensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.names import TensorSpec, list_specs
from gpt2forge.checkpoint.tf1.bundle_index import BundleEntry, read_bundle
from gpt2forge.checkpoint.tf1.choose_save import read_step
from gpt2forge.checkpoint.tf1.locate_entry import find_index, make_source
from gpt2forge.checkpoint.tf1.partitions import (
    Partitions,
    find_partitions,
    is_partition,
    join_parts,
    list_keys,
    reshape,
)
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError
from gpt2forge.regular_file import open_binary

EMBEDDING = "model/wte"
LAYER_NORM_EPSILON = 1e-5  # fixed in OpenAI's code


def read_tf1(checkpoint: Checkpoint, config: ModelConfig, config_path: Path) -> Contents:
    """Find where every tensor of the model lies, by OpenAI's names. It reads the index, not the weights.

    Raises UserError if a tensor is missing, has another shape than the config implies, or lies outside its shard.
    """
    index = find_index(checkpoint)
    entries = read_bundle(index, len(checkpoint.weights))
    scope = find_scope(entries, index)
    if f"{scope}model/h{config.n_layer}/ln_1/g" in entries:
        raise UserError(f"{index}: has more layers than {config_path} says ({config.n_layer}); correct n_layer")
    specs = []
    for spec in list_specs(config):  # stops at the first missing tensor, however many layers the config claims
        if scope + spec.openai not in entries:
            raise UserError(f"{index}: `{spec.openai}` {list(spec.openai_shape)} is missing; is this a GPT-2?")
        specs.append(spec)
    located = [locate(checkpoint, spec, scope + spec.openai, entries, config_path) for spec in specs]
    check_apart(tuple(part for parts in located for part in parts.stored))
    left_out = tuple(list_left_out(entries, {scope + spec.openai for spec in specs}))
    return Contents(config, tuple(parts.tensor for parts in located), left_out, find_step(checkpoint, entries))


def find_scope(entries: Mapping[str, BundleEntry], index: Path) -> str:
    """Return the variable scope in front of the names, with its `/`. Raises UserError if there are several."""
    scopes = sorted(name.removesuffix(EMBEDDING) for name in entries if f"/{name}".endswith(f"/{EMBEDDING}"))
    if len(scopes) > 1 and "" not in scopes:
        shown = ", ".join(quote_untrusted(scope + EMBEDDING) for scope in scopes[:5])
        raise UserError(f"{index}: holds {len(scopes)} models, {shown}; save one of them by itself")
    return "" if "" in scopes else next(iter(scopes), "")


def read_hparams(path: Path) -> ModelConfig:
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
    )


@dataclass(frozen=True)
class Located:
    """A tensor of the model, and the stored tensors that it is made of: itself, or its partitions."""

    tensor: SourceTensor
    stored: tuple[SourceTensor, ...]


def locate(
    checkpoint: Checkpoint, spec: TensorSpec, name: str, entries: Mapping[str, BundleEntry], config_path: Path
) -> Located:
    """Check an entry of the index against the model and the shards; `name` is the tensor's name in the index."""
    index, entry = find_index(checkpoint), entries[name]
    partitions = find_partitions(index, name, entries) if entry.slices else Partitions(0, (entry,))
    parts = tuple(make_source(checkpoint, spec.name, name, part) for part in partitions.entries)
    whole = parts[0] if not entry.slices else join_parts(parts, partitions.axis, entry.shape)
    check_tensor(whole, shape=spec.openai_shape, config=config_path, index=index, name=name)
    for part in parts:
        check_tensor(part, shape=part.shape, config=config_path, index=index, name=name)
    return Located(reshape(whole, spec.shape), parts)


def list_left_out(entries: Mapping[str, BundleEntry], known: set[str]) -> Iterator[LeftOut]:
    """Yield the tensors that are not part of the model; a partitioned one with the bytes of all its partitions."""
    for name, entry in entries.items():
        if name in known or is_partition(name):
            continue
        parts = [entries.get(key) for key in list_keys(name, entry)] if entry.slices else [entry]
        yield LeftOut(name, entry.dtype, sum(part.size for part in parts if part))


def find_step(checkpoint: Checkpoint, entries: Mapping[str, BundleEntry]) -> int | None:
    """Return the training step: from the checkpoint's name (`model-1000`), else from the tensor `global_step`."""
    step = read_step(find_index(checkpoint).stem)
    if step is not None:
        return step
    entry = entries.get("global_step")
    if entry is None or entry.dtype != "I64" or entry.size != 8 or entry.shard >= len(checkpoint.weights):
        return None
    path = checkpoint.folder / checkpoint.weights[entry.shard]
    if not 0 <= entry.offset <= path.stat().st_size - entry.size:
        return None
    with open_binary(path) as file:
        file.seek(entry.offset)
        return int.from_bytes(file.read(8), "little", signed=True)
