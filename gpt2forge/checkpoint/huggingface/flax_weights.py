"""The weights in flax_model.msgpack, which transformers before version 5 wrote for JAX.

The names are those of PyTorch but for the last part: `kernel`, `scale` and `embedding` are weights. A kernel is
transposed.
https://github.com/huggingface/transformers/blob/v4.57.0/src/transformers/models/gpt2/modeling_flax_gpt2.py
"""

from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.derive_tensors import transpose
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.msgpack import Array, list_arrays, read_msgpack

DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
WEIGHTS = ("kernel", "scale", "embedding")


def read_flax_weights(path: Path) -> dict[str, SourceTensor]:
    """Read the parameters of a flax model. Raises UserError if the file is damaged."""
    sources = [make_source(name, array, path) for name, array in list_arrays(read_msgpack(path))]
    return {source.name: source for source in sources}


def make_source(name: str, array: Array, path: Path) -> SourceTensor:
    """Return an array as a tensor by PyTorch's name, in PyTorch's layout."""
    layer, _, last = name.rpartition(".")
    source = SourceTensor(
        f"{layer}.weight" if last in WEIGHTS else name,
        DTYPES.get(array.dtype, array.dtype),
        shape=array.shape,
        path=path,
        offset=array.values.offset,
        nbytes=array.values.nbytes,
    )
    return transpose(source) if last == "kernel" else source


FLAX = WeightKind("flax_model.msgpack", read_flax_weights, has_shards=False)
