"""Makes packages of tiny random models in any scheme, and restores float32 models from packages."""

from collections.abc import Collection
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.quantize.audit import audit_package
from gpt2forge.quantize.blocks import dequantize_blocks
from gpt2forge.quantize.coverage import CoverageRow
from gpt2forge.quantize.data_file import DATA_FILE, find_region, find_weights
from gpt2forge.quantize.embeddings import TABLES
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.quantize_model import NO_FIT, quantize_model
from gpt2forge.quantize.scheme import Scheme, make_scheme
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_package
from tests.graph.models import Array, Tiny

FLOAT32 = make_scheme("none", None, "none")
FLOAT16 = make_scheme("float16", None, "float16")
"""Works only for a graph without fused attention."""

SCHEMES = {
    "float32": FLOAT32,
    "int8-128": make_scheme("int8", 128, "int8"),
    "int8-16": make_scheme("int8", 16, "int8"),
    "int8-channel": make_scheme("int8", "channel", "int8"),
    "int8-channel-float-tables": make_scheme("int8", "channel", "none"),
    "int8-channel-few": make_scheme("int8", "channel", "int8", few_rows="blocks"),
    "int8-float-tables": make_scheme("int8", 32, "none"),
    "int4-32": make_scheme("int4", 32, "int8"),
    "int4-all": make_scheme("int4", 16, "int4"),
    "int4-wide-tables": make_scheme("int4", 32, "int4", 256, "float16"),
    "float16-positions": make_scheme("none", None, "none", positions="float16"),
    "mixed": make_scheme(
        *("int4", 32, "int8", 16, "float16"),
        overrides={"h.*.mlp.c_proj": (8, 128), "h.0.attn.c_attn": (4, 16), "h.*.mlp.c_fc": (8, "channel")},
        skip=["h.*.attn.c_proj"],
    ),
}


def pack(
    tiny: Tiny,
    out: Path,
    scheme: Scheme,
    passes: Collection[str] = tuple(PASSES),
    threads: int | None = None,
    fit: Fit = NO_FIT,
) -> list[CoverageRow]:
    """Fuse a tiny model by these passes, quantize it and audit the package."""
    out.mkdir(parents=True)
    model = read_graph(tiny.graph)
    fuse(model, passes)
    sources = find_weights(model.graph)
    rows = quantize_model(model, tiny.weights, scheme, out, lambda done, total, unit: None, fit, threads)
    audit_package(out, scheme, sources, tiny.weights)
    return rows


def spoil(tiny: Tiny, name: str, wrong: float) -> None:
    """Overwrite one value of a float32 weight in the weights file of a tiny model."""
    weight = find_weights(read_graph(tiny.graph).graph)[name]
    with (tiny.weights / "model.safetensors").open("r+b") as file:
        file.seek(find_region(weight).offset + 400)
        file.write(np.float32(wrong).tobytes())


def logits_of(package: Path, ids: Array, mask: Array | None = None) -> Array:
    """Return a package's logits (B, S, V) of tokens (B, S) without a past."""
    session = open_package(package, threads=1)
    return run(session, make_feeds(ids, read_cache_shape(session).empty(len(ids)), mask))[0]


def restore(tiny: Tiny, package: Path, scheme: Scheme) -> GPT2LMHeadModel:
    """Return the tiny model in PyTorch with the weights of a package, until the next call for the same tiny model."""
    model, graph = copy_model(tiny), read_graph(package).graph
    data = (package / DATA_FILE).read_bytes()
    stored = {name: read(data, tensor) for name, tensor in find_weights(graph).items()}
    stored |= {f"{name}.weight.levels": count for name, count in count_levels(graph).items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            weight = restore_weight(stored, name.removeprefix("transformer."), tuple(parameter.shape), scheme)
            parameter.copy_(torch.tensor(weight))
    return model


@lru_cache(maxsize=1)
def copy_model(tiny: Tiny) -> GPT2LMHeadModel:
    """Return a copy of a tiny model, whose weights `restore` overwrites: to copy takes longer than to compute logits."""
    return deepcopy(tiny.model)


def count_levels(graph: ir.Graph) -> dict[str, Array]:
    """Count the steps of a row's magnitude before each integer product, by linear layer."""
    counts = {}
    for node in ir.traversal.RecursiveGraphIterator(graph):
        name = str(node.name)
        if name.endswith(".rows.integers"):
            step = node.inputs[1].const_value if node.inputs[1] else None
            assert step is not None
            counts[name.removesuffix(".rows.integers").removesuffix(".many")] = np.rint(1 / step.numpy())
    return counts


def read(data: bytes, tensor: ir.ExternalTensor) -> Array:
    region = find_region(tensor)
    return np.frombuffer(data[region.offset : region.end], tensor.dtype.numpy()).reshape(tensor.shape.numpy())


def restore_weight(stored: dict[str, Array], name: str, shape: tuple[int, ...], scheme: Scheme) -> Array:
    """Return the values of one weight, from its integers and scales if it has them."""
    if name in stored:
        return stored[name].astype(np.float32)
    if f"{name}.steps" in stored:
        return np.asarray(stored[f"{name}.steps"] * (stored[f"{name}.factors"] * stored[f"{name}.levels"]))
    scales = stored[f"{name}.scales"]
    is_table = name in TABLES
    storage = scheme.table if is_table else scheme.choose(name.removesuffix(".weight"))
    assert storage is not None
    data = stored[f"{name}.rows" if f"{name}.rows" in stored else f"{name}.blocks"]
    values = dequantize_blocks(data.reshape(*scales.shape, -1), scales, storage.bits)
    return values[:, : shape[1]] if is_table else values[:, : shape[0]].T
