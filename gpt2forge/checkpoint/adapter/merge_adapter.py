"""Merges an adapter into a checkpoint as peft's `merge_and_unload` does: weights plus a scaled product, in float32.

1. The layers inside the model are GPT-2's, [in, out], so the product B A is transposed. The LM head is [out, in].
2. In training, peft changes one of two tied tensors and leaves the other alone. So a tied LM head that has a product,
   or whose embedding is replaced, becomes a head of its own.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpt2forge.checkpoint.adapter.adapter_config import MERGE
from gpt2forge.checkpoint.adapter.read_adapter import Adapter, read_adapter
from gpt2forge.checkpoint.contents import Contents, SourceTensor, check_tensor
from gpt2forge.checkpoint.derive_tensors import list_values
from gpt2forge.checkpoint.names import HEAD, PREFIX
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.checkpoint.safetensors import ITEM_SIZES
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError

EMBEDDING = f"{PREFIX}wte.weight"
BLOCK = 1 << 20  # values of a product that are in memory at once

Tensors = dict[str, SourceTensor]


def merge_adapter(contents: Contents, folder: Path) -> Contents:
    """Return the contents of a checkpoint with the adapter in a folder merged into it.

    Raises UserError if the adapter does not fit the checkpoint.
    """
    adapter = read_adapter(folder)
    tensors = {tensor.name: tensor for tensor in contents.tensors}
    is_tied = HEAD not in tensors
    if is_tied:
        tensors[HEAD] = replace(tensors[EMBEDDING], name=HEAD, make=list_values(tensors[EMBEDDING]))
    replaced = replace_tensors(tensors, adapter)
    added = add_products({**tensors, **replaced}, adapter)
    merged = {**tensors, **replaced, **added}
    if is_tied and {EMBEDDING, HEAD}.isdisjoint([*replaced, *added]):
        del merged[HEAD]
    rows = merged[EMBEDDING].shape[0]
    if HEAD in merged and merged[HEAD].shape[0] != rows:
        path = merged[EMBEDDING].path
        raise UserError(f"{path}: has embeddings of {rows} tokens, but no LM head of as many; {MERGE}")
    notes = () if rows == contents.config.vocab_size else (note_rows(rows, contents.config.vocab_size),)
    config = replace(contents.config, vocab_size=rows)
    return replace(contents, config=config, tensors=tuple(merged.values()), notes=(*contents.notes, *notes))


def note_rows(rows: int, before: int) -> str:
    return f"the adapter has embeddings of {rows} tokens, the checkpoint of {before}; its tokenizer must have them too"


def replace_tensors(tensors: Tensors, adapter: Adapter) -> Tensors:
    """Return the tensors of the adapter that take the place of others. Only embeddings may have another height."""
    replaced = {}
    for name, tensor in adapter.replaced.items():
        if name not in tensors:
            raise UserError(
                f"{tensor.path}: holds {quote_untrusted(tensor.name)}, which the checkpoint does not have; is the "
                "adapter one of this checkpoint?"
            )
        shape = tensors[name].shape
        if name in (EMBEDDING, HEAD) and len(tensor.shape) == 2:
            shape = (tensor.shape[0], *shape[1:])
        check_shape(tensor, shape)
        replaced[name] = replace(tensor, name=name)
    return replaced


def add_products(tensors: Tensors, adapter: Adapter) -> Tensors:
    """Return the tensors that have a product, with it added."""
    merged = {}
    for layer, (first, second) in adapter.products.items():
        name = HEAD if f"{layer}.weight" == HEAD else f"{PREFIX}{layer}.weight"
        if name not in tensors or name == EMBEDDING or len(tensors[name].shape) != 2:
            raise UserError(
                f"{first.path}: holds {quote_untrusted(first.name)}, but the checkpoint has no such linear layer; "
                "is the adapter one of this checkpoint?"
            )
        rank, is_head = adapter.config.find_rank(full_name(layer)), name == HEAD
        rows, columns = tensors[name].shape
        inner, outer = (columns, rows) if is_head else (rows, columns)
        check_shape(first, (rank, inner))
        check_shape(second, (outer, rank))
        scale = adapter.config.find_scale(full_name(layer))
        base = tensors[name]
        merged[name] = replace(
            base,
            dtype="F32",
            nbytes=ITEM_SIZES["F32"] * base.count,
            make=partial(merge_values, base, first, second, scale, transposed=not is_head),
        )
    return merged


def full_name(layer: str) -> str:
    """Return the name by which peft knows a layer."""
    return layer if f"{layer}.weight" == HEAD else f"{PREFIX}{layer}"


def check_shape(tensor: SourceTensor, shape: tuple[int, ...]) -> None:
    """Raise UserError if a tensor of the adapter has another shape, or does not lie in its file."""
    config = tensor.path.parent / "adapter_config.json"
    check_tensor(tensor, shape=shape, config=config, index=tensor.path, name=tensor.name)


def merge_values(
    base: SourceTensor, first: SourceTensor, second: SourceTensor, scale: float, *, transposed: bool
) -> Any:
    """Return base + scale * second @ first, or its transpose, in float32; a block of rows at a time."""
    merged = np.concatenate([piece.copy() for piece in read_pieces(base)]).reshape(base.shape)  # (rows, columns)
    inner, outer = (read_matrix(each) for each in (first, second))  # (r, in), (out, r)
    step = max(1, BLOCK // merged.shape[1])
    for start in range(0, len(merged), step):
        rows = slice(start, start + step)
        merged[rows] += ((outer @ inner[:, rows]).T if transposed else outer[rows] @ inner) * scale
    return merged


def read_matrix(tensor: SourceTensor) -> Any:
    """Read a matrix of the adapter. Raises UserError that names it if a value is not finite."""
    values = np.asarray(list_values(tensor)(), np.float32)
    if not np.isfinite(values).all():
        raise UserError(
            f"{tensor.path}: {quote_untrusted(tensor.name)} holds values that are not finite; start from an earlier "
            "adapter"
        )
    return values
