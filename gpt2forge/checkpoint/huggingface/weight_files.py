"""Finds the files that hold the weights of a Hugging Face directory, and the tensors in them."""

import re
from collections.abc import Mapping
from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.huggingface.flax_weights import FLAX
from gpt2forge.checkpoint.huggingface.pytorch_weights import PYTORCH
from gpt2forge.checkpoint.huggingface.safetensors_weights import SAFETENSORS
from gpt2forge.checkpoint.huggingface.tensorflow_weights import TENSORFLOW
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError

KINDS: tuple[WeightKind, ...] = (SAFETENSORS, PYTORCH, TENSORFLOW, FLAX)
"""The kinds of weight files, in the order in which transformers prefers them."""


def find_weights(folder: Path, names: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the index files, if there are any, and of the files that hold the weights.

    Raises UserError if there are none.
    """
    for kind in KINDS:
        if kind.single in names:
            return (), (kind.single,)
        if kind.has_shards and kind.index in names:
            owners = read_weight_map(folder / kind.index, names, kind.suffix)
            return (kind.index,), tuple(sorted(set(owners.values())))
        shards = list_shards(folder, names, kind)
        if shards:
            return (), shards
    raise UserError(
        f"{folder}: has config.json, but no weights; put `{SAFETENSORS.single}` or `{PYTORCH.single}` there"
    )


def find_tensors(folder: Path, weights: tuple[str, ...]) -> dict[str, SourceTensor]:
    """Find every tensor in the files that hold the weights. Raises UserError if an index contradicts them."""
    kind = next(kind for kind in KINDS if weights[0].endswith(kind.suffix))
    files = {name: kind.read(folder / name) for name in weights}
    if weights == (kind.single,):
        return files[kind.single]
    if not (folder / kind.index).is_file():
        return join_shards(folder, files)
    owners = read_weight_map(folder / kind.index, set(weights), kind.suffix)
    for name, shard in owners.items():
        if name not in files[shard]:
            raise UserError(
                f"{folder / shard}: {quote_untrusted(name)} is missing, although the index names this file for it; "
                "is the download complete?"
            )
    return {name: files[shard][name] for name, shard in owners.items()}


def list_shards(folder: Path, names: set[str], kind: WeightKind) -> tuple[str, ...]:
    """Return the names of all shards that lie there without an index, `model-00001-of-00002.safetensors`; or none.

    Raises UserError if one is missing.
    """
    stem = kind.single.removesuffix(kind.suffix)
    pattern = re.compile(rf"{re.escape(stem)}-(\d{{5}})-of-(\d{{5}}){re.escape(kind.suffix)}", re.ASCII)
    found = {name: match for name in names if kind.has_shards and (match := pattern.fullmatch(name))}
    counts = sorted({int(match[2]) for match in found.values()})
    if len(counts) > 1:
        raise UserError(f"{folder}: has shards of {counts[0]} and of {counts[-1]} files; keep those of one checkpoint")
    for number in range(1, counts[0] + 1 if counts else 0):
        name = f"{stem}-{number:05}-of-{counts[0]:05}{kind.suffix}"
        if name not in found:
            raise UserError(f"{folder}: `{name}` is missing; is the download complete?")
    return tuple(sorted(found))


def join_shards(folder: Path, files: Mapping[str, Mapping[str, SourceTensor]]) -> dict[str, SourceTensor]:
    """Return the tensors of all shards. Raises UserError if two have one of the same name."""
    joined: dict[str, SourceTensor] = {}
    for shard, tensors in files.items():
        for name, tensor in tensors.items():
            if name in joined:
                both = f"`{joined[name].path.name}` and `{shard}` both hold {quote_untrusted(name)}"
                raise UserError(f"{folder}: {both}; are they of one checkpoint?")
            joined[name] = tensor
    return joined


def read_weight_map(path: Path, names: set[str], suffix: str) -> dict[str, str]:
    """Read which file holds which tensor. Every file must be one of `names`, so that none lies outside the folder."""
    entries = read_object(path).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{path}: has no `weight_map`; is the download complete?")
    for tensor, name in entries.items():
        if not isinstance(name, str) or not name.endswith(suffix) or name not in names:
            both = f"{quote_untrusted(tensor)} lies in {quote_untrusted(name)}"
            raise UserError(f"{path}: {both}, which is not a `*{suffix}` file beside it; is the download complete?")
    return entries
