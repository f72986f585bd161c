"""Describes a checkpoint from its indexes and headers, without reading the weights."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.convert_checkpoint import is_trained_run, read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Format
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.names import HEAD
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT

TRAINER_NOTE = (
    f"trainers of such runs read `{END_OF_TEXT}` as one token or in pieces; a build measures which, unless a recipe "
    "sets `source.special_tokens`"
)
CONFIG_KEYS = (
    "vocab_size",
    "n_positions",
    "n_embd",
    "n_head",
    "n_layer",
    "n_inner",
    "activation_function",
    "layer_norm_epsilon",
    "scale_attn_weights",
    "scale_attn_by_inverse_layer_idx",
    "reorder_and_upcast_attn",
    "ends",
)


def describe_checkpoint(folder: Path, formats: Sequence[Format] = FORMATS) -> dict[str, Any]:
    """Describe the checkpoint in a folder as JSON values.

    Raises UserError if there is none, or if it could not be converted.
    """
    checkpoint = find_checkpoint(folder, formats)
    tokenizer, contents = read_checkpoint(checkpoint)
    config = asdict(contents.config)
    return {
        "layout": checkpoint.format.name,
        "folder": str(checkpoint.folder),
        "files": list(checkpoint.files),
        "ignored": list(checkpoint.ignored),
        "step": contents.step,
        "config": {key: config[key] for key in CONFIG_KEYS},
        "vocabulary": tokenizer.size,
        "tokenizer": tokenizer.describe(),
        **describe_tensors(contents),
        "notes": [
            *checkpoint.notes,
            *contents.notes,
            *([TRAINER_NOTE] if is_trained_run(checkpoint, contents) else []),
        ],
    }


def describe_tensors(contents: Contents) -> dict[str, Any]:
    """Describe the tensors of a checkpoint as JSON values; `bytes` counts the model's tensors as they are stored."""
    tensors = contents.tensors
    return {
        "separate_head": any(tensor.name == HEAD for tensor in tensors),
        "tensors": len(tensors),
        "parameters": sum(tensor.count for tensor in tensors),
        "bytes": sum(tensor.nbytes for tensor in tensors),
        "dtypes": dict(sorted(Counter(tensor.dtype for tensor in tensors).items())),
        "left_out": [
            {"name": tensor.name, "dtype": tensor.dtype, "bytes": tensor.nbytes} for tensor in contents.left_out
        ],
    }
