"""The weights in pytorch_model.bin, which transformers wrote by default until 2023."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    refuse_nested(path, file.value)
    return file.list_tensors(file.value)


def refuse_nested(path: Path, values: Mapping[Any, Any]) -> None:
    """Raise UserError if the tensors are inside another mapping.

    PyTorch Lightning (`state_dict`), DeepSpeed (`module`) and other programs for training save them so.
    """
    key = next((key for key, value in values.items() if isinstance(value, Mapping) and holds_tensors(value)), None)
    if key is not None:
        command = f"torch.save(torch.load({path.name!r})[{key!r}], {path.name!r})"
        raise UserError(
            f"{path}: holds the tensors inside {quote_untrusted(key)}, as a program for training saves them; write "
            f"them alone: {quote_untrusted(command)}"
        )


def holds_tensors(values: Mapping[Any, Any]) -> bool:
    """Return whether one of the values is a tensor."""
    return any(hasattr(value, "untyped_storage") for value in values.values())


PYTORCH = WeightKind("pytorch_model.bin", read_pytorch_weights)
