"""How the weights of a model are to be stored."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Storage:
    """Integers of `bits` bits, one scale for each `block` of them; no `block`: one scale for each output channel."""

    bits: int
    block: int | None


@dataclass(frozen=True)
class Scheme:
    """What becomes of the linear layers and of the embedding tables; None: they stay float32."""

    linear: Storage | None
    table: Storage | None


DEFAULT_BLOCK = {8: 128, 4: 32}
BITS: dict[str, int] = {"int8": 8, "int4": 4}


def make_scheme(scheme: str, granularity: int | str | None, embeddings: str) -> Scheme:
    """The scheme that the words of a recipe mean.

    Tables always have blocks: those of the linear layers where these have blocks of as many bits, else their bits' own.
    """
    block = granularity if isinstance(granularity, int) else None
    linear = Storage(BITS[scheme], block) if scheme in BITS else None
    if embeddings not in BITS:
        return Scheme(linear, None)
    bits = BITS[embeddings]
    shared = block if linear and linear.bits == bits else None
    return Scheme(linear, Storage(bits, shared or DEFAULT_BLOCK[bits]))
