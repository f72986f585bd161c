"""Reads a GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.weight_files import find_tensors
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.token_ids import ROLES, choose_ids, list_outside, read_named, take_first


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Find where every tensor of the model lies. It reads the headers, not the weights.

    The tensors include `lm_head.weight` if a file holds it, tied or not. Raises UserError if a tensor is missing,
    unknown, or has another shape than config.json implies.
    """
    found = find_tensors(checkpoint.folder, checkpoint.weights)
    return match_tensors(read_config(checkpoint.folder), found, checkpoint.folder / "config.json")


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
    return replace(contents, config=config, notes=(*contents.notes, *notes))
