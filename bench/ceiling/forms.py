"""The forms of weights, and for each the kernels that are compared: by the rows that they multiply."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.ceiling.layouts import Packed, Weights, pack_columns, pack_lanes

ONE, MANY = "1", "64"  # rows, as results name them
READ = "nothing but a read of the weights"
OPERATOR = "ONNX Runtime"

WALK = "four columns, as MLAS"
AHEAD, PAIRS = "four columns, asking ahead", "four columns, two blocks at once"
BOTH = "four columns, both of these"
LANES, LANES_AHEAD = "a column in each lane", "a column in each lane, asking ahead"
PASSES, TILES = "a column in each lane, 8 rows at once", "tiles of AMX"
WHOLE_TILE, FLAT_TILE = "AMX, a tile of 16 rows, as MLAS", "AMX, a tile of 1 row"


@dataclass(frozen=True)
class Kernel:
    """A function of `kernels.c`; `group` is how many scales of a column lie side by side, None for columns in lanes."""

    function: str
    group: int | None = None
    needs_tiles: bool = False

    def pack(self, weights: Weights) -> Packed:
        return pack_lanes(weights) if self.group is None else pack_columns(weights, self.group)


@dataclass(frozen=True)
class Form:
    """Weights of some bits with a scale for each `block` of a column, None for all of it; kernels by rows and name."""

    bits: int
    block: int | None
    kernels: Mapping[str, Mapping[str, Kernel]]


def name_kernels(bits: int, suffix: str, group: int, *, has_pairs: bool) -> dict[str, dict[str, Kernel]]:
    """Return the kernels of weights in blocks, by rows and by their names in the tables."""
    walk = f"columns_{bits}{suffix}"
    pairs = {PAIRS: Kernel(f"{walk}_pairs", group), BOTH: Kernel(f"{walk}_pairs_ahead", group)} if has_pairs else {}
    return {
        ONE: {
            WALK: Kernel(walk, group),
            AHEAD: Kernel(f"{walk}_ahead", group),
            **pairs,
            LANES: Kernel(f"lanes_{bits}"),
            LANES_AHEAD: Kernel(f"lanes_{bits}_ahead"),
            READ: Kernel(f"read_{bits}"),
        },
        MANY: {
            WALK: Kernel(f"two_rows_{bits}{suffix}", group),
            PASSES: Kernel(f"passes_{bits}"),
            TILES: Kernel(f"tiles_{bits}", needs_tiles=True),
        },
    }


CHANNELS = {
    ONE: {
        WHOLE_TILE: Kernel("channels_16", needs_tiles=True),
        FLAT_TILE: Kernel("channels_1", needs_tiles=True),
        LANES: Kernel("lanes_8"),
        LANES_AHEAD: Kernel("lanes_8_ahead"),
        READ: Kernel("read_8"),
    },
}

FORMS = {
    "int8 blocks of 128": Form(8, 128, name_kernels(8, "", 2, has_pairs=True)),
    "int4 blocks of 128": Form(4, 128, name_kernels(4, "", 2, has_pairs=True)),
    "int4 blocks of 32": Form(4, 32, name_kernels(4, "_of_32", 4, has_pairs=False)),
    "int8 per channel": Form(8, None, CHANNELS),
}
