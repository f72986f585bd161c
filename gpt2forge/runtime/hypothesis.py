"""One continuation of a prompt, among those that a search compares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """New tokens, with the sum of their log-probabilities; `row` is the beam that they continue."""

    tokens: tuple[int, ...]
    total: float
    row: int = 0

    def value(self, length_penalty: float) -> float:
        """Return what it is worth beside others."""
        return float(self.total / len(self.tokens) ** length_penalty)
