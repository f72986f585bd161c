"""How the weights of a model are stored, and the names of its linear layers.

A layer is named `h.0.mlp.c_proj`; patterns such as `h.[0-3].mlp.*` choose among layers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import combinations

FLOAT16_BITS = 16
KINDS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
MOST = 1000  # layers that a model may have, as far as a pattern is judged without one


@dataclass(frozen=True)
class Storage:
    """Integers of `bits` bits, one scale for each `block` of them; no `block`: one scale for each output channel.

    16 bits are float16, without scales.
    """

    bits: int
    block: int | None

    @property
    def is_half(self) -> bool:
        return self.bits == FLOAT16_BITS


HALF = Storage(FLOAT16_BITS, None)


@dataclass(frozen=True)
class Scheme:
    """What becomes of the linear layers, the embedding tables and the positions; None: they stay float32.

    `overrides` say by a pattern of names what a linear layer gets instead, `skip` which of them stay float32.
    """

    linear: Storage | None
    table: Storage | None
    positions: Storage | None = None
    overrides: Mapping[str, Storage] = field(default_factory=dict)
    skip: Sequence[str] = ()

    @property
    def is_half(self) -> bool:
        """Whether everything becomes float16, what is computed too."""
        return self.linear == HALF

    def choose(self, name: str) -> Storage | None:
        """How the linear layer `name` is to be stored."""
        if any(fnmatchcase(name, pattern) for pattern in self.skip):
            return None
        return next((own for pattern, own in self.overrides.items() if fnmatchcase(name, pattern)), self.linear)


DEFAULT_BLOCK = {8: 128, 4: 32}
BITS: dict[str, int] = {"int8": 8, "int4": 4}
CHANNEL = "channel"
FLOAT16 = "float16"


def choose_granularity(bits: int, scheme: str, granularity: int | str | None) -> int | str:
    """How many weights of `bits` bits share a scale where nobody says: as in the scheme where it has as many bits."""
    shared = granularity if BITS.get(scheme) == bits else None
    return DEFAULT_BLOCK[bits] if shared is None else shared


def choose_table_block(embeddings: str, scheme: str, granularity: int | str | None) -> int | None:
    """The same of the embeddings, which always have blocks; None where they stay float32."""
    if embeddings not in BITS:
        return None
    filled = choose_granularity(BITS[embeddings], scheme, granularity)
    return filled if isinstance(filled, int) else DEFAULT_BLOCK[BITS[embeddings]]


def make_storage(bits: int, granularity: int | str | None) -> Storage:
    return Storage(bits, granularity if isinstance(granularity, int) else None)


def make_scheme(
    scheme: str,
    granularity: int | str | None,
    embeddings: str,
    embeddings_granularity: int | None = None,
    positions: str = "float32",
    overrides: Mapping[str, tuple[int, int | str | None]] | None = None,
    skip: Sequence[str] = (),
) -> Scheme:
    """The scheme that the words of a recipe mean; `overrides` are (bits, granularity) by pattern."""
    if scheme == FLOAT16:
        return Scheme(HALF, HALF, HALF)
    table = embeddings_granularity or choose_table_block(embeddings, scheme, granularity)
    return Scheme(
        make_storage(BITS[scheme], granularity) if scheme in BITS else None,
        Storage(BITS[embeddings], table) if embeddings in BITS else None,
        HALF if positions == FLOAT16 else None,
        {pattern: make_storage(*own) for pattern, own in (overrides or {}).items()},
        tuple(skip),
    )


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
