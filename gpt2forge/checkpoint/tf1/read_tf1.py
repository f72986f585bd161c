"""A GPT-2 as OpenAI published it, read without TensorFlow: hparams.json, and where each tensor lies in the shards."""

import re
from collections.abc import Mapping
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_count
from gpt2forge.checkpoint.detect import Checkpoint
from gpt2forge.checkpoint.names import Place, list_places
from gpt2forge.checkpoint.tensors import Contents, LeftOut, Stored, check_apart, check_stored
from gpt2forge.checkpoint.tf1.bundle_index import Entry, read_bundle
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError

LAYER_NORM_EPSILON = 1e-5  # fixed in OpenAI's code
STEP = re.compile(r"-(\d{1,18})$", re.ASCII)


def read_tf1(checkpoint: Checkpoint, eos_token_id: int) -> Contents:
    """Say where every tensor of the model lies; reads the index, not the weights.

    Raises UserError where a tensor is missing, has another shape than hparams.json says, or lies outside its shard.
    """
    hparams = checkpoint.folder / "hparams.json"
    config = read_hparams(hparams, eos_token_id)
    entries = read_bundle(checkpoint.index, len(checkpoint.shards))
    if f"model/h{config.n_layer}/ln_1/g" in entries:
        raise UserError(f"{checkpoint.index}: has more layers than {hparams} says ({config.n_layer}); correct n_layer")
    places = []
    for place in list_places(config):  # stops at the first one missing, however many layers hparams.json claims
        if place.openai not in entries:
            raise UserError(
                f"{checkpoint.index}: `{place.openai}` {list(place.openai_shape)} is missing; is this a GPT-2?"
            )
        places.append(place)
    tensors = tuple(locate(checkpoint, place, entries[place.openai], hparams) for place in places)
    check_apart(tensors)
    known = {place.openai for place in places}
    left_out = tuple(LeftOut(name, entry.dtype, entry.size) for name, entry in entries.items() if name not in known)
    return Contents(config, tensors, left_out, read_step(checkpoint, entries))


def read_hparams(path: Path, eos_token_id: int) -> ModelConfig:
    """Read OpenAI's hparams.json; raises UserError where a number is missing or no count."""
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
        eos_token_id=eos_token_id,
        bos_token_id=eos_token_id,
    )


def locate(checkpoint: Checkpoint, place: Place, entry: Entry, hparams: Path) -> Stored:
    """Check an entry of the index against the model and the shards."""
    if entry.sliced:
        raise UserError(
            f"{checkpoint.index}: `{place.openai}` was saved in partitions, which is not read; "
            "save the checkpoint without a partitioner"
        )
    if entry.shard >= len(checkpoint.shards):
        raise UserError(f"{checkpoint.index}: `{place.openai}` lies in shard {entry.shard} of {len(checkpoint.shards)}")
    path = checkpoint.folder / checkpoint.shards[entry.shard]
    tensor = Stored(place.name, entry.dtype, entry.shape, path, entry.offset, entry.size, entry.crc)
    check_stored(tensor, place.openai_shape, hparams, checkpoint.index, place.openai)
    return Stored(place.name, entry.dtype, place.shape, path, entry.offset, entry.size, entry.crc)


def read_step(checkpoint: Checkpoint, entries: Mapping[str, Entry]) -> int | None:
    """The training step: what TensorFlow's Saver put behind its name (`model-1000`), or `global_step`."""
    match = STEP.search(checkpoint.prefix)
    if match:
        return int(match[1])
    entry = entries.get("global_step")
    if entry is None or entry.dtype != "I64" or entry.size != 8 or entry.shard >= len(checkpoint.shards):
        return None
    path = checkpoint.folder / checkpoint.shards[entry.shard]
    if not 0 <= entry.offset <= path.stat().st_size - entry.size:
        return None
    with path.open("rb") as file:
        file.seek(entry.offset)
        return int.from_bytes(file.read(8), "little", signed=True)
