"""Reads a GPT-2 as transformers' `save_pretrained` writes it: config.json, and where each tensor lies."""

from dataclasses import replace
from pathlib import Path

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.huggingface.weight_files import find_tensors
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.checkpoint.vocabulary import Vocabulary


def read_huggingface(checkpoint: Checkpoint) -> Contents:
    """Find where every tensor of the model lies. It reads the headers, not the weights.

    The tensors include `lm_head.weight` if a file holds it, tied or not. Raises UserError if a tensor is missing,
    unknown, or has another shape than config.json implies.
    """
    found = find_tensors(checkpoint.folder, checkpoint.weights)
    return match_tensors(read_config(checkpoint.folder), found, checkpoint.folder / "config.json")


def add_token_ids(contents: Contents, vocabulary: Vocabulary, path: Path) -> Contents:
    """Take the ids of the first and the last token from the tokenizer if the config.json at `path` has none."""
    given = read_object(path)
    ids = {role: vocabulary.find(token) for role, token in vocabulary.roles.items()}
    end, start = ids.get("eos_token"), ids.get("bos_token")
    config = contents.config
    if given.get("eos_token_id") is None and end is not None:
        config = replace(config, eos_token_id=end)
    if config.bos_token_id is None:
        config = replace(config, bos_token_id=config.eos_token_id if start is None else start)
    return replace(contents, config=config)
