"""A GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

import re
from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_config
from gpt2forge.checkpoint.detect import Checkpoint, read_weight_map
from gpt2forge.checkpoint.names import HEAD, PREFIX, Place, list_places
from gpt2forge.checkpoint.safetensors import Tensor, read_header
from gpt2forge.checkpoint.tensors import Contents, LeftOut, Stored, check_apart, check_stored, hold_same_values
from gpt2forge.checkpoint.untrusted_text import quote
from gpt2forge.errors import UserError

BUFFER = re.compile(r"h\.\d+\.attn\.(masked_)?bias", re.ASCII)  # the causal mask that old versions saved
Found = dict[str, tuple[Path, Tensor]]


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Say where every tensor of the model lies; reads the headers, not the weights.

    `lm_head.weight` is among them where a file holds it, tied or not. Raises UserError where a tensor is missing,
    unknown, or has another shape than config.json says.
    """
    path = checkpoint.folder / "config.json"
    config = read_config(checkpoint.folder)
    found = find_tensors(checkpoint)
    buffers = [name for name in found if BUFFER.fullmatch(name)]
    left_out = tuple(LeftOut(name, found[name][1].dtype, found[name][1].nbytes) for name in buffers)
    places = []
    for place in list_places(config):  # stops at the first one missing, however many layers config.json claims
        if place.name.removeprefix(PREFIX) not in found:
            raise UserError(
                f"{checkpoint.folder}: `{place.name}` {list(place.shape)} is missing; is the download complete?"
            )
        places.append(place)
    if HEAD in found:
        places.append(Place(HEAD, "", (config.vocab_size, config.n_embd)))
    elif not config.tied:
        raise UserError(
            f"{path}: says `tie_word_embeddings: false`, but `{HEAD}` is missing; is the download complete?"
        )
    known = {place.name.removeprefix(PREFIX) for place in places} | set(buffers)
    for name in sorted(found.keys() - known):
        raise UserError(
            f"{found[name][0]}: holds {quote(name)}, which is no part of a GPT-2 with {config.n_layer} layers; "
            "write it anew with `GPT2LMHeadModel.from_pretrained(...).save_pretrained(...)`"
        )
    tensors = tuple(locate(place, *found[place.name.removeprefix(PREFIX)], path) for place in places)
    check_apart(tensors)
    return Contents(config, tensors, left_out)


def find_tensors(checkpoint: Checkpoint) -> Found:
    """Every tensor by its name without `transformer.`, and the file that holds it."""
    headers = {name: read_header(checkpoint.folder / name) for name in checkpoint.shards}
    if checkpoint.shards == ("model.safetensors",):
        owners = dict.fromkeys(headers["model.safetensors"], "model.safetensors")
    else:
        owners = read_weight_map(checkpoint.folder / "model.safetensors.index.json", set(checkpoint.shards))
    found: Found = {}
    for name, shard in owners.items():
        path, short = checkpoint.folder / shard, name.removeprefix(PREFIX)
        if name not in headers[shard]:
            raise UserError(
                f"{path}: {quote(name)} is missing, which the index says it holds; is the download complete?"
            )
        if short in found:
            raise UserError(f"{path}: {quote(name)} is there twice, with and without `{PREFIX}`; keep one of them")
        found[short] = path, headers[shard][name]
    return found


def locate(place: Place, path: Path, tensor: Tensor, config: Path) -> Stored:
    """Check a tensor of a file's header against the model."""
    stored = Stored(place.name, tensor.dtype, tensor.shape, path, tensor.offset, tensor.nbytes, None)
    check_stored(stored, place.shape, config, path, tensor.name)
    return stored


def settle_head(contents: Contents) -> Contents:
    """Decide by the weights themselves whether the head is tied, and drop a head that only repeats the embedding."""
    named: dict[str, Stored] = {tensor.name: tensor for tensor in contents.tensors}
    tied = HEAD not in named or hold_same_values(named[HEAD], named[f"{PREFIX}wte.weight"])
    config: ModelConfig = replace(contents.config, tied=tied)
    kept = tuple(tensor for tensor in contents.tensors if not (tied and tensor.name == HEAD))
    return replace(contents, config=config, tensors=kept)
