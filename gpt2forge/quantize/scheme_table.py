"""The table of schemes, which are the words that `quantization.scheme` may have. A new scheme is one entry of SCHEMES.

Recipes are validated against this table, so it imports nothing but the standard library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROUNDED = ("steps_equal_pass", "padded_equals_alone", "batch_equals_single")
"""The properties that differ when kernels round. The fourth, `shared_equals_copied`, is exact under every scheme."""

DEFAULT_EMBEDDINGS = "int8"
"""The default scheme of the embeddings when the linear layers are integers."""


def allow(difference: float) -> Mapping[str, float]:
    """Return tolerances that allow this difference, as a part of the logits' spread, of each rounded property."""
    return dict.fromkeys(ROUNDED, difference)


@dataclass(frozen=True)
class SchemeSpec:
    """The properties of one scheme."""

    bits: int
    """Of each weight; 32 and 16 are floats."""
    share: float
    """Approximate bytes that are left of each byte of float32, scales included."""
    block: int | None = None
    """The default number of weights that share a scale; None: floats, which have no scales."""
    device: str | None = None
    """The only `target.device` that the scheme is for; None: any."""
    reason: str | None = None
    """Why the scheme is for no other device."""
    is_whole: bool = False
    """True: everything is stored and computed this way, not only the linear layers."""
    tolerances: Mapping[str, float] = field(default_factory=dict)
    """Largest difference of each property, as a part of the logits' spread; a property without one is exact."""
    has_channels: bool = False
    """True: it has `granularity: channel`, one scale per output channel and integer arithmetic."""

    @property
    def has_scales(self) -> bool:
        """Return whether weights are integers with scales."""
        return self.block is not None


SCHEMES: dict[str, SchemeSpec] = {
    "none": SchemeSpec(bits=32, share=1.0),
    "int8": SchemeSpec(
        bits=8,
        share=0.26,
        block=128,
        device="cpu",
        # The kernels of MatMulNBits for one row and for many round the activations differently.
        tolerances=allow(0.03),
        has_channels=True,
    ),
    "int4": SchemeSpec(bits=4, share=0.15, block=32, device="cpu", tolerances=allow(0.03)),
    "float16": SchemeSpec(
        bits=16,
        share=0.5,
        device="cuda",
        reason="a CPU casts every weight to float32 whenever it is used",
        is_whole=True,
        tolerances=allow(5e-3),
    ),
}

CHANNEL_BITS = {"any": 7, "vnni": 8}
"""Bits of weights with one scale per output channel, by `target.cpu`: see `channel`."""

# A value on the edge of two steps is rounded either way.
CHANNEL_TOLERANCES = allow(0.01)
"""Tolerances where all linear layers have one scale per output channel."""

# Few rows and many round the activations otherwise, and both errors count.
FEW_ROWS_TOLERANCES = allow(0.05)
"""Tolerances where few rows of linear layers with one scale per output channel are multiplied in blocks."""

# A key or value on the edge of two steps is kept either way, and all later tokens read it.
CACHE_TOLERANCES: Mapping[str, Mapping[str, float]] = {"float32": {}, "int8": allow(0.02)}
"""Tolerances by `quantization.kv_cache`; the larger one of cache and scheme counts."""


def find_integers(bits: int) -> SchemeSpec:
    """Return the first scheme whose weights are integers of this many bits."""
    return next(spec for spec in SCHEMES.values() if spec.has_scales and spec.bits == bits)


def choose_embeddings(scheme: str) -> str:
    """Return the default scheme of the embeddings."""
    return DEFAULT_EMBEDDINGS if SCHEMES[scheme].has_scales else scheme
