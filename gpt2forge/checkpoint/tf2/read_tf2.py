"""Reads a TFGPT2LMHeadModel from a TensorFlow 2 checkpoint: its configuration, and where each tensor lies."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import ModelConfig, read_config
from gpt2forge.checkpoint.contents import Contents, LeftOut, SourceTensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.read_huggingface import add_token_ids
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.tf1.bundle_index import BundleEntry, read_bundle
from gpt2forge.checkpoint.tf1.choose_save import read_step
from gpt2forge.checkpoint.tf1.locate_entry import find_index, make_source
from gpt2forge.checkpoint.tf2.object_graph import translate_paths
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

SAVE_AGAIN = "save the GPT-2 by itself, with `model.save_pretrained(folder)` of TFGPT2LMHeadModel"


def read_tf2(checkpoint: Checkpoint, config: ModelConfig, config_path: Path) -> Contents:
    """Find where every tensor of the model lies. It reads the index, not the weights.

    Raises UserError if it is not a GPT-2, or if a tensor is missing, unknown, or has another shape than the
    configuration implies.
    """
    index = find_index(checkpoint)
    entries = read_bundle(index, len(checkpoint.weights))
    try:
        names = translate_paths(entries)
    except ValueError as error:
        raise UserError(f"{index}: {error}; {SAVE_AGAIN}") from error
    found = {name: find_tensor(checkpoint, name, path, entries[path]) for path, name in names.items()}
    contents = match_tensors(config, found, config_path)
    others = tuple(LeftOut(path, entry.dtype, entry.size) for path, entry in entries.items() if path not in names)
    return replace(contents, left_out=(*contents.left_out, *others), step=read_step(index.stem))


def read_described(checkpoint: Checkpoint, tokenizer: SourceTokenizer) -> Contents:
    """Read a checkpoint beside a config.json. Raises UserError as `read_tf2` does."""
    path = checkpoint.folder / "config.json"
    return add_token_ids(read_tf2(checkpoint, read_config(checkpoint.folder), path), tokenizer, path)


def find_tensor(checkpoint: Checkpoint, name: str, path: str, entry: BundleEntry) -> SourceTensor:
    """Return an entry of the index as a tensor. TFConv1D holds a bias as [1, out]."""
    if entry.slices:
        raise UserError(f"{find_index(checkpoint)}: {quote_untrusted(path)} was saved in partitions; {SAVE_AGAIN}")
    tensor = make_source(checkpoint, name, path, entry)
    is_row = name.endswith(".bias") and len(entry.shape) == 2 and entry.shape[0] == 1
    return replace(tensor, shape=entry.shape[1:]) if is_row else tensor
