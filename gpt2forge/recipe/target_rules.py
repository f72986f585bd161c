"""Rules on `target:`, the machine that a result is for."""

from collections.abc import Iterator

from gpt2forge.quantize.scheme_table import SCHEMES
from gpt2forge.recipe.faults import Finding, join_choices, refuse
from gpt2forge.recipe.sections.benchmark_section import Benchmark
from gpt2forge.recipe.sections.fusion_section import Fusion
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection


def check_scheme(quantization: Quantization, target: TargetSection) -> Iterator[Finding]:
    """Refuse a scheme that has no kernels on the device."""
    spec = SCHEMES[quantization.scheme]
    if spec.device not in (None, target.device):
        others = [name for name, other in SCHEMES.items() if other.device == target.device]
        reason = f": {spec.reason}" if spec.reason else ""
        problem = f"needs `target.device: {spec.device}`{reason}; use {join_choices('scheme', others)}"
        yield refuse(("quantization", "scheme"), quantization.scheme, problem)


def check_embeddings(quantization: Quantization, target: TargetSection) -> Iterator[Finding]:
    """Refuse embeddings of integers that have no kernels on the device."""
    embeddings = quantization.embeddings
    if embeddings is None or SCHEMES[quantization.scheme].is_whole or not SCHEMES[embeddings].has_scales:
        return  # quantization_rules.check_embeddings covers these
    if SCHEMES[embeddings].device not in (None, target.device):
        problem = f"needs `target.device: {SCHEMES[embeddings].device}`; remove it"
        yield refuse(("quantization", "embeddings"), embeddings, problem)


def check_cache(quantization: Quantization, fusion: Fusion, target: TargetSection) -> Iterator[Finding]:
    """Refuse an int8 cache of any operator but the fused one for CPUs."""
    if quantization.kv_cache != "int8":
        return
    if target.device != "cpu":
        yield refuse(("quantization", "kv_cache"), quantization.kv_cache, "needs `target.device: cpu`; remove it")
    elif not fusion.attention:
        problem = "needs `fusion.attention: true`: standard operators have no such cache"
        yield refuse(("quantization", "kv_cache"), quantization.kv_cache, problem)


def check_attention(fusion: Fusion, target: TargetSection) -> Iterator[Finding]:
    """Refuse fused attention on a GPU."""
    if target.device == "cuda" and fusion.attention:
        refused = "ONNX Runtime's CUDA kernel refuses the bias that a left-padded batch needs"
        yield ("fusion", "attention"), f"`target.device: cuda` needs `fusion.attention: false`: {refused}"


def check_cpu(target: TargetSection) -> Iterator[Finding]:
    """Refuse a kind of CPU for a result that runs on a GPU."""
    if target.device == "cuda" and target.cpu != "any":
        yield refuse(("target", "cpu"), target.cpu, "means nothing where `device` is `cuda`; remove it")


def check_benchmark(target: TargetSection, benchmark: Benchmark | None) -> Iterator[Finding]:
    """Refuse to measure the speed of a result that runs on a GPU."""
    if target.device == "cuda" and benchmark:
        yield ("benchmark",), "`benchmark` measures on the CPU, and `target.device` is `cuda`; remove it"
