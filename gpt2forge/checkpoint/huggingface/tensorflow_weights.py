"""The weights in tf_model.h5, which transformers before version 5 wrote for TensorFlow 2.

Keras writes a group for each layer of the model, with the variables under their full names in it:
`transformer/tfgpt2lm_head_model/transformer/h_._0/attn/c_attn/weight:0`. The layout is PyTorch's, but a linear layer's
bias is [1, out].

https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/models/gpt2/modeling_tf_gpt2.py
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.derive_tensors import transpose
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

DEEPEST = 16
DTYPES = {"<f4": "F32", "<f2": "F16"}
LAST = {"gamma": "weight", "beta": "bias", "embeddings": "weight", "kernel": "weight"}


def read_tensorflow_weights(path: Path) -> dict[str, SourceTensor]:
    """Read the variables of a Keras model. Raises UserError if the file is damaged, or if h5py is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(f"{path}: is read with h5py, which is not installed: pip install 'gpt2forge[h5]'") from error
    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.userblock_size:
                raise ValueError("other data stands before it")  # offsets would not count from the file's start
            sources = [make_source(dataset, path) for dataset in list_datasets(file, h5py)]
    except (AttributeError, KeyError, OSError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        lines = str(error).splitlines() or [""]
        raise UserError(f"{path}: not an HDF5 file, or damaged: {quote_untrusted(lines[0])}") from error
    return {source.name: source for source in sources}


def list_datasets(group: Any, h5py: Any, depth: int = 0) -> Iterator[Any]:
    """Yield every dataset below a group. Links to other places, which could lie in other files, are not followed."""
    for key in group:
        if isinstance(group.get(key, getlink=True), h5py.HardLink):
            found = group[key]
            if isinstance(found, h5py.Dataset):
                yield found
            elif depth < DEEPEST:
                yield from list_datasets(found, h5py, depth + 1)


def make_source(dataset: Any, path: Path) -> SourceTensor:
    """Return a dataset as a tensor by PyTorch's name, in PyTorch's layout. Raises UserError if it is in pieces."""
    name, offset = translate(dataset.name), dataset.id.get_offset()
    if offset is None:
        raise UserError(f"{path}: {quote_untrusted(dataset.name)} is compressed or in pieces; save the model again")
    source = SourceTensor(
        name,
        DTYPES.get(dataset.dtype.str, dataset.dtype.str),
        shape=tuple(dataset.shape),
        path=path,
        offset=offset,
        nbytes=dataset.id.get_storage_size(),
    )
    if name.endswith(".bias") and source.shape[:-1] == (1,):
        return replace(source, shape=source.shape[1:])
    return transpose(source) if "/kernel" in dataset.name else source


def translate(path: str) -> str:
    """Return PyTorch's name of a variable: what follows the last occurrence of its layer's name, and that name."""
    parts = path.strip("/").removesuffix(":0").replace("_._", "/").split("/")
    last = len(parts) - 1 - parts[::-1].index(parts[0])
    return ".".join((*parts[last:-1], LAST.get(parts[-1], parts[-1])))


TENSORFLOW = WeightKind("tf_model.h5", read_tensorflow_weights, has_shards=False)
