"""The weights in model.safetensors."""

from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.safetensors import Tensor, read_header


def read_safetensors(path: Path) -> dict[str, SourceTensor]:
    return {name: make_source(tensor, path) for name, tensor in read_header(path).items()}


def make_source(tensor: Tensor, path: Path) -> SourceTensor:
    """Return a tensor of a safetensors header as one of a checkpoint."""
    return SourceTensor(
        tensor.name, tensor.dtype, shape=tensor.shape, path=path, offset=tensor.offset, nbytes=tensor.nbytes
    )


SAFETENSORS = WeightKind("model.safetensors", read_safetensors)
