"""What became of each tensor: its bits, its bytes, and what was lost."""

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Row:
    """One weight of the model.

    `bits` of each stored number, `block` how many share a scale (None: a channel, or no scale), `bytes` with scales
    and padding, each byte counted once; `error` = ||weight - stored|| / ||weight||, to four digits: beyond them sums
    differ between processors.
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


def relate(square_error: float, square: float) -> float:
    """The relative error that two sums of squares make, to four digits."""
    return float(f"{sqrt(square_error / square):.4g}") if square else 0.0
