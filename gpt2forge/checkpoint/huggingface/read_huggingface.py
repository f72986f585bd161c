"""Reads a GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

from dataclasses import replace

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.weight_files import find_tensors
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.token_ids import read_all_named


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Find where every tensor of the model lies. It reads the headers, not the weights.

    The tensors include `lm_head.weight` if a file holds it, tied or not. Raises UserError if a tensor is missing,
    unknown, or has another shape than config.json implies.
    """
    found = find_tensors(checkpoint.folder, checkpoint.weights)
    contents = match_tensors(read_config(checkpoint.folder), found, checkpoint.folder / "config.json")
    return replace(contents, named=read_all_named(checkpoint.folder))
