"""The results as the tables that the README has."""

from collections.abc import Mapping
from typing import Any

from bench.goals import PYTORCH, find
from bench.plan import EXAMPLE, SHIPPED, SHIPPED_VARIANTS, SHORT, VARIANTS

HEADER = (
    "| recipe | what | MB | of float32 | a new token, ms | of PyTorch | prompt of 64, ms | of PyTorch |",
    "|---|---|---|---|---|---|---|---|",
)


FIDELITY = (
    "| recipe | what | MB | perplexity beside PyTorch | KL divergence | same token | worst of the properties |",
    "|---|---|---|---|---|---|---|",
)


def write_markdown(results: Mapping[str, Any]) -> str:
    """The tables of the parts that were measured."""
    tables = []
    if SHIPPED in results.get("peers", {}):
        tables.append(write_speed(results["peers"][SHIPPED]))
    if "fidelity" in results:
        tables.append(write_fidelity(results["fidelity"]))
    return "\n".join(tables)


def write_fidelity(fidelity: Mapping[str, Any]) -> str:
    """A row for each of nano's variants."""
    rows = []
    for variant, found in fidelity.items():
        worst = max(value for value in found["properties"].values() if value is not None)
        cells = (
            *(f"`{EXAMPLE}-{VARIANTS[variant].recipe}`", variant, f"{found['bytes'] / 1e6:.1f}"),
            *(f"{found['perplexity_increase']:+.3%}", f"{found['kl_mean']:.1e}", f"{found['top1_agreement']:.2%}"),
            f"{worst:.0e}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join((*FIDELITY, *rows)) + "\n"


def write_speed(peers: Mapping[str, Any]) -> str:
    """A row for PyTorch and for each variant."""
    systems = peers["systems"]
    rows = [write_row("", PYTORCH, peers)]
    rows += [
        write_row(f"`{SHIPPED}-{VARIANTS[variant].recipe}`", f"ours, {variant}", peers)
        for variant in SHIPPED_VARIANTS
        if f"ours, {variant}" in systems
    ]
    return "\n".join((*HEADER, *rows)) + "\n"


def write_row(recipe: str, name: str, peers: Mapping[str, Any]) -> str:
    systems, short = peers["systems"], str(SHORT)
    cells = [recipe, name.removeprefix("ours, ")]
    size = systems[name]["bytes"] if name != PYTORCH else 0
    cells += [f"{size / 1e6:.0f}", f"{size / peers['float32_bytes']:.1%}"] if size else ["", ""]
    for kind, digits in (("token_ms", 1), ("prefill_ms", 0)):
        ours, reference = (find(systems, which, kind, short, "median") for which in (name, PYTORCH))
        cells += [f"{ours:.{digits}f}", f"{ours / reference:.3f}"] if ours and reference else ["-", "-"]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
