"""The storage of the weights of a model, and the names of its linear layers.

A layer is named `h.0.mlp.c_proj`; patterns such as `h.[0-3].mlp.*` choose among layers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import filter as filter_names
from fnmatch import fnmatchcase
from functools import cache

from gpt2forge.quantize.scheme_table import SCHEMES, find_integers

FLOAT16_BITS = 16
FLOAT32, FLOAT16 = "float32", "float16"
CHANNEL = "channel"
IN_BLOCKS = "blocks"
KINDS = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
MOST = 1000  # layers that a model may have, as far as a pattern is checked without one


@dataclass(frozen=True)
class Storage:
    """Integers of `bits` bits, one scale for each `block` of them; no `block`: one scale for each output channel.

    Integers of 7 bits take a byte each. `few_in_blocks`: few rows are multiplied in blocks, see `few_rows`.

    16 bits are float16, without scales.
    """

    bits: int
    block: int | None
    few_in_blocks: bool = False

    @property
    def is_half(self) -> bool:
        return self.bits == FLOAT16_BITS


HALF = Storage(FLOAT16_BITS, None)


@dataclass(frozen=True)
class Scheme:
    """The storage of the linear layers, the embedding tables and the positions; None: they stay float32.

    `overrides` give the linear layers that a pattern matches another storage; those that `skip` matches stay float32.
    """

    linear: Storage | None
    table: Storage | None
    positions: Storage | None = None
    overrides: Mapping[str, Storage] = field(default_factory=dict)
    skip: Sequence[str] = ()

    @property
    def is_half(self) -> bool:
        """Return whether everything becomes float16, arithmetic too."""
        return self.linear == HALF

    def choose(self, name: str) -> Storage | None:
        """Return the storage of the linear layer `name`."""
        if any(fnmatchcase(name, pattern) for pattern in self.skip):
            return None
        return next((own for pattern, own in self.overrides.items() if fnmatchcase(name, pattern)), self.linear)


def choose_granularity(bits: int, scheme: str, granularity: int | str | None) -> int | str | None:
    """Return how weights of `bits` bits share scales by default: like the scheme's, if these have as many bits."""
    shared = granularity if SCHEMES[scheme].bits == bits else None
    return find_integers(bits).block if shared is None else shared


def choose_positions(scheme: str) -> str:
    """Return how the position embeddings are stored unless a recipe says it: in float16 beside weights of fewer bits.

    That costs nobody anything: a KL of 2e-8 nats a token on two trained models, where 8 bits leave 1e-3. It saves from
    0.3 % of the bytes (774M) to 4 % (nano).
    """
    return FLOAT32 if SCHEMES[scheme].bits == 32 else FLOAT16


def choose_table_block(embeddings: str, scheme: str, granularity: int | str | None) -> int | None:
    """Return the default block of the embeddings, which never have one scale per channel; None if they are floats."""
    spec = SCHEMES[embeddings]
    is_shared = isinstance(granularity, int) and SCHEMES[scheme].bits == spec.bits
    return granularity if is_shared and isinstance(granularity, int) else spec.block


def make_storage(
    bits: int, granularity: int | str | None, channel_bits: int, *, few_in_blocks: bool = False
) -> Storage:
    if granularity == CHANNEL:
        return Storage(channel_bits, None, few_in_blocks)
    return Storage(bits, granularity if isinstance(granularity, int) else None)


def make_scheme(
    scheme: str,
    granularity: int | str | None,
    embeddings: str,
    embeddings_granularity: int | None = None,
    positions: str = FLOAT32,
    overrides: Mapping[str, tuple[int, int | str | None]] | None = None,
    skip: Sequence[str] = (),
    channel_bits: int = 8,
    few_rows: str = CHANNEL,
) -> Scheme:
    """Return the scheme that the words of a recipe mean; `overrides` are (bits, granularity) by pattern.

    `channel_bits` are those of the layers with one scale per channel, from CHANNEL_BITS; `few_rows` is how these
    multiply few rows.
    """
    linear, table = SCHEMES[scheme], SCHEMES[embeddings]
    if linear.is_whole:
        return Scheme(HALF, HALF, HALF)
    block = embeddings_granularity or choose_table_block(embeddings, scheme, granularity)
    in_blocks = few_rows == IN_BLOCKS
    own = {
        pattern: make_storage(bits, shared, channel_bits, few_in_blocks=in_blocks)
        for pattern, (bits, shared) in (overrides or {}).items()
    }
    return Scheme(
        make_storage(linear.bits, granularity, channel_bits, few_in_blocks=in_blocks) if linear.has_scales else None,
        Storage(table.bits, block) if table.has_scales else None,
        HALF if positions == FLOAT16 else None,
        own,
        tuple(skip),
    )


def list_linears(layers: Iterable[int]) -> Iterator[str]:
    return (f"h.{layer}.{kind}" for layer in layers for kind in KINDS)


@cache
def list_possible() -> tuple[str, ...]:
    """List the linear layers of a model with MOST layers."""
    return tuple(list_linears(range(MOST)))


@cache
def can_match(pattern: str) -> bool:
    """Return whether this pattern matches a linear layer of any model, in 1 ms."""
    return bool(filter_names(list_possible(), pattern))


def find_conflict(names: Iterable[str], overrides: Iterable[str], skip: Iterable[str]) -> str | None:
    """Describe the first of these layers that two patterns match; None if there is no such layer.

    Two patterns of `skip` are no conflict: they ask for the same.
    """
    layers = list(names)
    ours, theirs = (match_all(layers, patterns) for patterns in (overrides, skip))
    for name in layers:
        chosen = [pattern for pattern, matched in ours.items() if name in matched]
        others = [*chosen[1:], *(pattern for pattern, matched in theirs.items() if chosen and name in matched)]
        if others:
            return f"two patterns match `{name}`, `{chosen[0]}` and `{others[0]}`; let one decide"
    return None


def match_all(names: Sequence[str], patterns: Iterable[str]) -> dict[str, set[str]]:
    """Return the names that each pattern matches."""
    return {pattern: set(filter_names(names, pattern)) for pattern in patterns}


def find_unmatched(names: Sequence[str], patterns: Iterable[str]) -> str | None:
    """Return the first pattern that matches none of these layers."""
    return next((pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)), None)
