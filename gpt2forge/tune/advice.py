"""Measures what other forms of weights would take on this machine, and says which changes of a recipe would help."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from gpt2forge.graph.model_file import read_graph
from gpt2forge.measure.host import describe_host
from gpt2forge.measure.node_work import ATTENTION, BLOCKS, CHANNELS
from gpt2forge.measure.package_profile import Phase
from gpt2forge.measure.products import Products, time_products
from gpt2forge.quantize.few_rows import FEW
from gpt2forge.quantize.forms import FORMS
from gpt2forge.quantize.scheme import CHANNEL, IN_BLOCKS
from gpt2forge.stages.forge_json import read_provenance

TRIED = ("8x32", "8x128", "8xchannel", "4x32", "4x128")
FEW_FORM = "8x128"  # how few rows of weights per channel are multiplied with `few_rows: blocks`
WORTH = 0.1  # share of a time that a change must save to be advised
CACHE_SHARE = 0.2  # of a token's time in attention, from which on a cache of int8 is advised

Shapes = Mapping[tuple[int, int], int]
"""The number of products of each shape (in, out)."""


@dataclass(frozen=True)
class FormTime:
    """The milliseconds that the products of all layers take in a form, for a token and for a prompt."""

    form: str
    token_ms: float
    prompt_ms: float


def find_shapes(graph: ir.Graph) -> Shapes:
    """Count the integer products of a package by shape, without the LM head's."""
    shapes: Counter[tuple[int, int]] = Counter()
    for node in graph.all_nodes():
        if str(node.name).endswith(FEW):  # a product per channel beside it has the same weights
            continue
        if str(node.name).startswith("h.") and node.op_type == BLOCKS:
            shapes[node.attributes["K"].as_int(), node.attributes["N"].as_int()] += 1
        elif str(node.name).startswith("h.") and node.op_type == CHANNELS:
            weight = node.inputs[1]
            assert weight is not None and weight.shape is not None
            length, columns = weight.shape.numpy()
            shapes[length, columns] += 1
    return shapes


def time_forms(folder: Path, prompt_tokens: int, threads: int) -> list[FormTime]:
    """Time the products of a package's layers in every form of TRIED; empty for a package without integers."""
    shapes = find_shapes(read_graph(folder).graph)
    return [time_form(name, shapes, prompt_tokens, threads) for name in TRIED] if shapes else []


def time_form(name: str, shapes: Shapes, prompt_tokens: int, threads: int) -> FormTime:
    totals = [0.0, 0.0]
    for (length, columns), count in shapes.items():
        products = Products(length, columns, FORMS[name], count)
        for place, rows in enumerate((1, prompt_tokens)):
            totals[place] += count * time_products(products, rows, is_exact=False, threads=threads)
    return FormTime(name, *totals)


def list_advice(folder: Path, phases: Sequence[Phase], times: Sequence[FormTime]) -> Iterator[str]:
    """Yield a sentence for each change of the recipe that would help, with its measurement."""
    sections: Mapping[str, Any] = read_provenance(folder).get("sections", {})
    target, quantization = sections.get("target", {}), sections.get("quantization", {})
    yield from advise_granularity(quantization, times)
    yield from advise_cpu(target, quantization)
    yield from advise_cache(quantization, phases)


def advise_granularity(quantization: Mapping[str, Any], times: Sequence[FormTime]) -> Iterator[str]:
    """Compare the forms with the one of most layers, if that was timed."""
    bits, granularity = {"int8": 8, "int4": 4}.get(str(quantization.get("scheme"))), quantization.get("granularity")
    found = {each.form: each for each in times}
    present = found.get(f"{bits}x{granularity}")
    if present is None:
        return
    if granularity == CHANNEL and quantization.get("few_rows") == IN_BLOCKS:
        present = FormTime(present.form, found[FEW_FORM].token_ms, present.prompt_ms)
    reads: dict[str, Callable[[FormTime], float]] = {
        "a token": lambda each: each.token_ms,
        "a prompt": lambda each: each.prompt_ms,
    }
    for what, read in reads.items():
        best = min(times, key=read)
        if read(best) < (1 - WORTH) * read(present):
            form = FORMS[best.form]
            yield (
                f"`granularity`: {form.bits} bits with `granularity: {form.granularity}` take {read(best):.3f} ms for "
                f"the products of {what} instead of {read(present):.3f} ms"
            )
    few = found[FEW_FORM].token_ms
    if granularity == CHANNEL and few < (1 - WORTH) * present.token_ms:
        yield (
            f"`few_rows`: with `few_rows: blocks` the products of a token take {few:.3f} ms instead of "
            f"{present.token_ms:.3f} ms, from the same file and twice the memory"
        )


def advise_cpu(target: Mapping[str, Any], quantization: Mapping[str, Any]) -> Iterator[str]:
    """Say whether `target.cpu` fits the processor."""
    has_vnni = any(name.endswith("vnni") for name in describe_host()["instructions"])
    by_channel = quantization.get("granularity") == "channel"
    if by_channel and has_vnni and target.get("cpu") != "vnni":
        yield "`target.cpu`: this processor has VNNI, so `cpu: vnni` keeps 8 bits instead of 7 at the same speed"
    if by_channel and not has_vnni and target.get("cpu") == "vnni":
        yield "`target.cpu`: this processor has no VNNI, so products of 8 bits are slow; use `cpu: any`"


def advise_cache(quantization: Mapping[str, Any], phases: Sequence[Phase]) -> Iterator[str]:
    """Advise a smaller cache if attention, which reads it, takes much of a token's time."""
    token = phases[-1]
    attention = sum(row.ms for row in token.operators if row.name == ATTENTION)
    if quantization.get("kv_cache") == "float32" and token.ms and attention / token.ms > CACHE_SHARE:
        yield (
            f"`kv_cache`: attention takes {attention / token.ms:.0%} of a token's time; `kv_cache: int8` reads a "
            "quarter of the bytes"
        )
