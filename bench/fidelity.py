"""How true nano's variants are to PyTorch: what their builds measured, and the four properties."""

from typing import Any

from bench.builds import run_build
from bench.plan import Plan


def measure_fidelity(plan: Plan) -> dict[str, Any]:
    """The part `verify` of each variant's report, and its share of float32's bytes."""
    fidelity = {}
    for variant in plan.verified:
        report = run_build(plan, variant, skip="benchmark").report
        fidelity[variant] = {
            **report["verify"],
            "bytes": report["bytes"]["package"],
            "float32": report["bytes"]["float32"],
        }
    return fidelity
