"""The names of linear layers, `h.0.mlp.c_proj`, and the patterns that choose among them, `h.[0-3].mlp.*`."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

KINDS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
MOST = 1000  # layers that a model may have, as far as a pattern is judged without one


def list_linears(layers: Iterable[int]) -> Iterator[str]:
    return (f"h.{layer}.{kind}" for layer in layers for kind in KINDS)


def can_match(pattern: str) -> bool:
    """Whether this pattern matches a linear layer of any model."""
    return any(fnmatchcase(name, pattern) for name in list_linears(range(MOST)))


def find_conflict(names: Iterable[str], overrides: Iterable[str], skip: Iterable[str]) -> str | None:
    """Say of the first of these layers that is asked for in two ways which patterns do; None where none is.

    Two patterns of `skip` ask for the same.
    """
    skipped = list(skip)
    pairs = [*combinations(overrides, 2), *((one, other) for one in overrides for other in skipped)]
    for name in names:
        for one, other in pairs:
            if fnmatchcase(name, one) and fnmatchcase(name, other):
                return f"two patterns match `{name}`, `{one}` and `{other}`; let one decide"
    return None


def find_unmatched(names: Sequence[str], patterns: Iterable[str]) -> str | None:
    """The first pattern that matches none of these layers."""
    return next((pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)), None)
