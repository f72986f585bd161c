"""Builds the coverage table of a package: bits, bytes and error of each weight, and of each kind of weights."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import mean
from typing import Any

LAYER = re.compile(r"^h\.\d+\.")
MATRICES = re.compile(r"(?:attn|mlp)\.\w+\.weight$|^w[tp]e\.weight$|^lm_head\.weight$")
VECTORS = "biases and norms"

Tensor = Mapping[str, Any]


@dataclass(frozen=True)
class CoverageRow:
    """One weight of the model.

    `bits` are those of each stored number, `block` is how many share a scale (None: a channel, or no scale). `bytes`
    include scales and padding. `error` is ||weight - stored|| / ||weight||, to four digits, because more of them differ
    between processors.
    """

    name: str
    weights: int
    bits: int
    block: int | None
    bytes: int
    error: float

    def to_json(self) -> dict[str, str | int | float | None]:
        return {
            "name": self.name,
            "bits": self.bits,
            "block": self.block,
            "bytes": self.bytes,
            "bits_per_weight": round(8 * self.bytes / self.weights, 3),
            "error": self.error,
        }


def compute_relative_error(square_error: float, square: float) -> float:
    """Return the relative error of two sums of squares, to four digits."""
    return float(f"{sqrt(square_error / square):.4g}") if square else 0.0


@dataclass(frozen=True)
class Kind:
    """The tensors of all layers that have the same role and are stored in the same way.

    `bits`, `block`, `bytes` and `bits_per_weight` are as in a row; the errors are the mean and the largest `error`.
    """

    name: str
    count: int
    bits: int
    block: int | None
    bits_per_weight: float
    error_mean: float
    error_max: float
    bytes: int

    def to_json(self) -> dict[str, str | int | float | None]:
        return asdict(self)


def group_tensors(tensors: Iterable[Tensor]) -> list[Kind]:
    """Group tensors into kinds, in the order of their first names, with vectors last."""
    groups: dict[tuple[str, int, int | None], list[Tensor]] = {}
    for tensor in tensors:
        key = (name_kind(tensor["name"]), tensor["bits"], tensor["block"])
        groups.setdefault(key, []).append(tensor)
    names = [name for name in dict.fromkeys(name for name, _, _ in groups) if name != VECTORS] + [VECTORS]
    return sorted((make_kind(*key, group) for key, group in groups.items()), key=lambda kind: names.index(kind.name))


def name_kind(name: str) -> str:
    """Return the name of a tensor's kind: `h.*.mlp.c_proj` for `h.3.mlp.c_proj.weight`; all vectors are one kind."""
    return LAYER.sub("h.*.", name).removesuffix(".weight") if MATRICES.search(name) else VECTORS


def make_kind(name: str, bits: int, block: int | None, group: Sequence[Tensor]) -> Kind:
    size = sum(tensor["bytes"] for tensor in group)
    weights = sum(8 * tensor["bytes"] / tensor["bits_per_weight"] for tensor in group)
    errors = [tensor["error"] for tensor in group]
    return Kind(
        name,
        count=len(group),
        bits=bits,
        block=block,
        bits_per_weight=round(8 * size / weights, 3),
        error_mean=mean(errors),
        error_max=max(errors),
        bytes=size,
    )
