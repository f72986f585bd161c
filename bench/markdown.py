"""The results as the tables that the README has."""

from collections.abc import Mapping
from typing import Any

from bench.plan import VARIANTS

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
    if "sizes" in results and "speed" in results:
        tables.append(write_speed(results))
    if "fidelity" in results:
        tables.append(write_fidelity(results["fidelity"]))
    return "\n".join(tables)


def write_fidelity(fidelity: Mapping[str, Any]) -> str:
    """A row for each of nano's variants."""
    rows = []
    for variant, found in fidelity.items():
        worst = max(value for value in found["properties"].values() if value is not None)
        cells = (
            *(f"`nano-{VARIANTS[variant]}`", variant, f"{found['bytes'] / 1e6:.1f}"),
            *(f"{found['perplexity_increase']:+.3%}", f"{found['kl_mean']:.1e}", f"{found['top1_agreement']:.2%}"),
            f"{worst:.0e}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join((*FIDELITY, *rows)) + "\n"


def write_speed(results: Mapping[str, Any]) -> str:
    """A row for PyTorch and for each variant."""
    systems, sizes = results["speed"]["systems"], results["sizes"]
    reference = next(name for name in systems if name not in VARIANTS)
    rows = [write_row("", reference, "", "", systems[reference])]
    for variant, recipe in VARIANTS.items():
        size = sizes[variant]
        megabytes, share = f"{size['package_bytes'] / 1e6:.0f}", f"{size['package_share']:.1%}"
        rows.append(write_row(f"`{results['model']}-{recipe}`", variant, megabytes, share, systems[variant]))
    return "\n".join((*HEADER, *rows)) + "\n"


def write_row(recipe: str, what: str, megabytes: str, share: str, system: Mapping[str, Any]) -> str:
    token, prefill = system["token_ms"]["median"], system["prefill_ms"]["median"]
    speed = (f"{token:.1f}", f"{system['token_ratio']:.3f}", f"{prefill:.0f}", f"{system['prefill_ratio']:.2f}")
    return f"| {' | '.join((recipe, what, megabytes, share, *speed))} |".replace("|  |", "| |")
