"""Dominance among results, with regard to how uncertain the measured numbers are.

1. A quantity is a value with an interval. A token's time has the range of its rounds, KL divergence its 95 % interval.
   Sizes are equal if they differ by less than SAME_SIZE, because the texts in a package differ by some bytes.
2. One quantity is surely less than another if its interval is wholly below the other's.
3. A result dominates another if it is surely less in one quantity, and in none is its value above the other's interval.
   Less is better in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SAME_SIZE = 0.001


@dataclass(frozen=True)
class Quantity:
    """A measured number and the interval in which it may be."""

    value: float
    low: float
    high: float

    def is_surely_less(self, other: "Quantity") -> bool:
        """Return whether this is less than another, whatever their values in the intervals are (rule 2)."""
        return self.high < other.low

    def may_equal(self, other: "Quantity") -> bool:
        """Return whether this is less than another, or not surely more (rule 3)."""
        return self.value <= other.high


def make_quantity(value: float, interval: tuple[float, float] | None = None) -> Quantity:
    """Make a quantity; without an interval it is exact. An edited report may have a value outside its interval."""
    edges = interval or (value, value)
    return Quantity(value, min(value, *edges), max(value, *edges))


def make_size(value: float) -> Quantity:
    """Make the quantity of a package's size in bytes (rule 1)."""
    return make_quantity(value, (value * (1 - SAME_SIZE / 2), value * (1 + SAME_SIZE / 2)))


def dominates(one: Sequence[Quantity], other: Sequence[Quantity]) -> bool:
    """Return whether a result with the quantities `one` dominates the result with `other` (rule 3)."""
    pairs = list(zip(one, other, strict=True))
    return all(a.may_equal(b) for a, b in pairs) and any(a.is_surely_less(b) for a, b in pairs)
