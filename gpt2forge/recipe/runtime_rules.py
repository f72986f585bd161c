"""The rule on `target.runtime`, the oldest onnxruntime that must load the package."""

from collections.abc import Iterator

from gpt2forge.quantize.floors import (
    ATTENTION,
    BIAS,
    BLOCKS,
    CACHE,
    OLDEST,
    TABLES,
    Version,
    parse_version,
    show_version,
)
from gpt2forge.quantize.scheme import CHANNEL
from gpt2forge.quantize.scheme_table import SCHEMES, choose_embeddings
from gpt2forge.recipe.faults import Finding, refuse
from gpt2forge.recipe.sections.fusion_section import Fusion
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection

Need = tuple[str, Version, str]
"""An entry of a recipe, the oldest onnxruntime that loads what it makes, and what to write instead."""


def check_runtime(quantization: Quantization, fusion: Fusion, target: TargetSection) -> Iterator[Finding]:
    """Refuse what the oldest onnxruntime cannot load, each entry by itself."""
    if target.runtime is None:
        return
    loc, wanted = ("target", "runtime"), parse_version(target.runtime)
    if target.device != "cpu":
        yield refuse(loc, target.runtime, f"means nothing where `device` is `{target.device}`; remove it")
    elif wanted < OLDEST:
        oldest = show_version(OLDEST)
        yield refuse(loc, target.runtime, f'is older than any version that was tried; use "{oldest}" or later')
    else:
        for entry, version, fix in list_needs(quantization, fusion):
            if wanted < version:
                problem = f"cannot load `{entry}`, which needs {show_version(version)}; {fix}"
                yield refuse(loc, target.runtime, problem)


def list_needs(quantization: Quantization, fusion: Fusion) -> Iterator[Need]:
    """Yield what needs another version than the oldest."""
    if fusion.attention:
        yield "fusion.attention: true", ATTENTION, "use `fusion.attention: false`"
    embeddings = quantization.embeddings or choose_embeddings(quantization.scheme)
    if SCHEMES[embeddings].has_scales:
        yield f"quantization.embeddings: {embeddings}", TABLES, "use `quantization.embeddings: none`"
    if quantization.kv_cache == "int8":
        yield "quantization.kv_cache: int8", CACHE, "remove it"
    yield from list_needs_of_blocks(quantization, fusion)


def list_needs_of_blocks(quantization: Quantization, fusion: Fusion) -> Iterator[Need]:
    """Yield what linear layers with a scale for each block need."""
    scheme = SCHEMES[quantization.scheme]
    if not scheme.has_scales:
        return
    section = quantization.normalize()
    blocks: list[Need] = []
    if section.granularity != CHANNEL:
        blocks.append((f"quantization.scheme: {section.scheme}", BLOCKS[scheme.bits], "use `scheme: none`"))
    for pattern, own in section.exceptions.items():
        if own.granularity != CHANNEL:
            blocks.append((f"quantization.overrides.{pattern}.bits: {own.bits}", BLOCKS[own.bits], "remove it"))
    yield from blocks
    if section.few_rows != CHANNEL:
        yield f"quantization.few_rows: {section.few_rows}", BLOCKS[8], "remove it"
    if blocks and fusion.bias:
        yield f"fusion.bias: true` with `{blocks[0][0]}", BIAS, "use `fusion.bias: false`"
