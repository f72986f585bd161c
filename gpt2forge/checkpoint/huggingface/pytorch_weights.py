"""The weights in pytorch_model.bin, which transformers wrote by default until 2023."""

from collections.abc import Mapping
from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.huggingface.weight_kind import WeightKind
from gpt2forge.checkpoint.pytorch_file import load_pytorch
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError


def read_pytorch_weights(path: Path) -> dict[str, SourceTensor]:
    """Read a state_dict. Raises UserError if the file is damaged or holds anything else."""
    file = load_pytorch(path)
    if not isinstance(file.value, Mapping):
        kind = quote_untrusted(type(file.value).__name__)
        raise UserError(f"{path}: holds a {kind}, not tensors by their names; save `model.state_dict()` there")
    return file.list_tensors(file.value)


PYTORCH = WeightKind("pytorch_model.bin", read_pytorch_weights)
