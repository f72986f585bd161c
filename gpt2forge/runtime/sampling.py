"""Settings that choose the next token."""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Sampling:
    """Settings that choose the next token; the temperature 0 always takes the likeliest.

    Otherwise a token is drawn from those that all filters keep: the `top_k` likeliest (0: all), the likeliest that sum
    to `top_p`, those at least `min_p` times as likely as the likeliest, and the most typical that sum to `typical_p`.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0

    @cached_property
    def are_filtered(self) -> bool:
        """Return whether a filter may leave out a token."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0 or self.typical_p < 1


GREEDY = Sampling(temperature=0.0)
