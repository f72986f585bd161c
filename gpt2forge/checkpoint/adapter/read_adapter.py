"""Finds and reads the files of an adapter: adapter_config.json, and the tensors beside it.

1. peft's names begin with `base_model.model.`; the name of a layer in the model follows.
2. A layer that LoRA changes has two matrices, `lora_A.weight` [r, in] and `lora_B.weight` [out, r].
3. All other tensors take the place of the model's: those of `modules_to_save`, trained biases, resized embeddings.
   Of an embedding that is resized and in `modules_to_save`, peft saves the replaced one too, as `original_module`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.adapter.adapter_config import CONFIG, MERGE, AdapterConfig, read_adapter_config
from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.huggingface.pytorch_weights import read_pytorch_weights
from gpt2forge.checkpoint.huggingface.safetensors_weights import read_safetensors
from gpt2forge.checkpoint.match_tensors import BUFFER, WRAPPED
from gpt2forge.checkpoint.names import HEAD, PREFIX
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

READERS = {"adapter_model.safetensors": read_safetensors, "adapter_model.bin": read_pytorch_weights}
"""The readers of the files that may hold the tensors; the first file that is there counts, as in peft."""

FIRST, SECOND = ".lora_A.weight", ".lora_B.weight"
SAVED = ".modules_to_save."


@dataclass(frozen=True)
class Adapter:
    """An adapter.

    `products` are the two matrices of each layer by its name in the model, such as `lm_head` or `h.0.attn.c_attn`.
    `replaced` are the tensors that take the place of the model's, by the names in the weights artifact.
    """

    config: AdapterConfig
    products: Mapping[str, tuple[SourceTensor, SourceTensor]]
    replaced: Mapping[str, SourceTensor]


def list_adapter_files(folder: Path) -> tuple[str, ...]:
    """List the names of the files of an adapter. Raises UserError if one is missing."""
    weights = [name for name in READERS if (folder / name).is_file()]
    if not (folder / CONFIG).is_file() or not weights:
        known = " or ".join(f"`{name}`" for name in READERS)
        raise UserError(f"{folder}: no adapter; `{CONFIG}` and {known} of peft must be there")
    return (CONFIG, weights[0])


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter but its weights. Raises UserError if it is damaged, or of a kind that cannot be merged."""
    config, weights = list_adapter_files(folder)
    path = folder / weights
    found = shorten_names(READERS[weights](path))
    if not found:
        raise UserError(f"{path}: holds no tensor; is the file complete?")
    layers = dict.fromkeys(name.removesuffix(FIRST).removesuffix(SECOND) for name in found if is_matrix(name))
    for layer in layers:
        for name in (f"{layer}{FIRST}", f"{layer}{SECOND}"):
            if name not in found:
                raise UserError(f"{path}: {quote_untrusted(name)} is missing; is the download complete?")
    rest = {name: tensor for name, tensor in found.items() if not is_matrix(name) and not BUFFER.fullmatch(name)}
    for name in rest:
        if "lora_" in name or "token_adapter" in name:
            raise UserError(f"{path}: holds {quote_untrusted(name)}, which cannot be merged here; {MERGE}")
    return Adapter(
        config=read_adapter_config(folder / config),
        products={layer: (found[f"{layer}{FIRST}"], found[f"{layer}{SECOND}"]) for layer in layers},
        replaced={name if name == HEAD else PREFIX + name: tensor for name, tensor in rest.items()},
    )


def is_matrix(name: str) -> bool:
    return name.endswith((FIRST, SECOND))


def shorten_names(tensors: Mapping[str, SourceTensor]) -> dict[str, SourceTensor]:
    """Return the tensors by their names inside the model, without those that others replace (rule 3)."""
    shortened = {shorten(name): tensor for name, tensor in tensors.items() if ".original_module." not in name}
    plain = {name.replace(SAVED, "."): tensor for name, tensor in shortened.items() if SAVED in name}
    return plain | {name: tensor for name, tensor in shortened.items() if SAVED not in name}


def shorten(name: str) -> str:
    """Return a tensor's name inside the model; peft keeps the original layer of one that it changes as `base_layer`."""
    match = WRAPPED.match(name)
    inner = name[match.end() :] if match else name
    return inner.replace(".base_layer.", ".")
