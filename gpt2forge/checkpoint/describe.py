"""What a checkpoint is, told from its index and headers: nothing of the weights is read."""

from collections import Counter
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.names import HEAD


def describe_checkpoint(folder: Path) -> dict[str, Any]:
    """Describe the checkpoint in a folder as JSON values; `bytes` are those of the model's tensors as they are stored.

    Raises UserError where there is none, or where it could not be converted.
    """
    checkpoint = find_checkpoint(folder)
    vocabulary, contents = read_checkpoint(checkpoint)
    config = contents.config
    return {
        "layout": checkpoint.layout,
        "files": list(checkpoint.files),
        "step": contents.step,
        "config": {
            "vocab_size": config.vocab_size,
            "n_positions": config.n_positions,
            "n_embd": config.n_embd,
            "n_head": config.n_head,
            "n_layer": config.n_layer,
            "n_inner": config.n_inner,
            "activation_function": config.activation_function,
            "layer_norm_epsilon": config.layer_norm_epsilon,
            "scale_attn_weights": config.scale_attn_weights,
            "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
            "reorder_and_upcast_attn": config.reorder_and_upcast_attn,
            "eos_token_id": config.eos_token_id,
        },
        "vocabulary": vocabulary.size,
        "separate_head": any(tensor.name == HEAD for tensor in contents.tensors),
        "tensors": len(contents.tensors),
        "parameters": sum(tensor.count for tensor in contents.tensors),
        "bytes": sum(tensor.nbytes for tensor in contents.tensors),
        "dtypes": dict(sorted(Counter(tensor.dtype for tensor in contents.tensors).items())),
        "left_out": [
            {"name": tensor.name, "dtype": tensor.dtype, "bytes": tensor.nbytes} for tensor in contents.left_out
        ],
    }
