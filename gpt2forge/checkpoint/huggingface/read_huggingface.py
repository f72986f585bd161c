"""Reads a GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.safetensors import Tensor, read_header
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.token_ids import ENDLESS, ROLES, choose_ids, list_outside, read_named, take_first
from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Find where every tensor of the model lies. It reads the headers, not the weights.

    The tensors include `lm_head.weight` if a file holds it, tied or not. Raises UserError if a tensor is missing,
    unknown, or has another shape than config.json implies.
    """
    return match_tensors(read_config(checkpoint.folder), find_tensors(checkpoint), checkpoint.folder / "config.json")


def find_tensors(checkpoint: Checkpoint) -> dict[str, SourceTensor]:
    """Find every tensor in the checkpoint's files."""
    headers = {name: read_header(checkpoint.folder / name) for name in checkpoint.weights}
    if checkpoint.weights == ("model.safetensors",):
        owners = dict.fromkeys(headers["model.safetensors"], "model.safetensors")
    else:
        owners = read_weight_map(checkpoint.folder / "model.safetensors.index.json", set(checkpoint.weights))
    found = {}
    for name, shard in owners.items():
        path = checkpoint.folder / shard
        if name not in headers[shard]:
            raise UserError(
                f"{path}: {quote_untrusted(name)} is missing, although the index names this file for it; "
                "is the download complete?"
            )
        found[name] = make_source(headers[shard][name], path)
    return found


def make_source(tensor: Tensor, path: Path) -> SourceTensor:
    """Return a tensor of a safetensors header as one of a checkpoint."""
    return SourceTensor(
        tensor.name, tensor.dtype, shape=tensor.shape, path=path, offset=tensor.offset, nbytes=tensor.nbytes
    )


def read_weight_map(path: Path, names: set[str]) -> dict[str, str]:
    """Read which file holds which tensor. Every file must be one of `names`, so that none lies outside the folder."""
    entries = read_object(path).get("weight_map")
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{path}: has no `weight_map`; is the download complete?")
    for tensor, name in entries.items():
        if not isinstance(name, str) or not name.endswith(".safetensors") or name not in names:
            both = f"{quote_untrusted(tensor)} lies in {quote_untrusted(name)}"
            raise UserError(f"{path}: {both}, which is not a safetensors file beside it; is the download complete?")
    return entries


def add_token_ids(contents: Contents, tokenizer: SourceTokenizer, path: Path) -> Contents:
    """Choose the tokens that begin, end and pad a text, by the rules of `token_ids`; `path` is that of config.json.

    Raises UserError if config.json, or the generation_config.json beside it, names what is no id.
    """
    roles = {key: tokenizer.roles.get(role) for key, role in ROLES.items()}
    ids = {key: None if token is None else tokenizer.find(token) for key, token in roles.items()}
    named = [read_named(path.parent, key, number) for key, number in ids.items()]
    size = contents.config.vocab_size
    begin, ends, pad = (choose_ids(each, size) for each in named)
    config = replace(contents.config, ends=ends, bos_token_id=take_first(begin), pad_token_id=take_first(pad))
    notes = [note for each in named for note in list_outside(each, size)]
    return replace(contents, config=config, notes=(*contents.notes, *notes, *([] if ends else [ENDLESS])))
