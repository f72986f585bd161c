"""The results as the table that the README has."""

from collections.abc import Mapping
from typing import Any

from bench.plan import VARIANTS

HEADER = (
    "| recipe | what | MB | of float32 | a new token, ms | of PyTorch | prompt of 64, ms | of PyTorch |",
    "|---|---|---|---|---|---|---|---|",
)


def write_markdown(results: Mapping[str, Any]) -> str:
    """A row for PyTorch and for each variant; needs the parts `sizes` and `speed`."""
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
