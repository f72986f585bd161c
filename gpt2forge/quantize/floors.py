"""The table of floors: the oldest onnxruntime that loads a package, by what the package needs.

interop/test_floors.py loads packages in these versions. An older version lacks the operator or refuses its attributes.
Recipes are validated against this table, so it imports nothing but the standard library.
"""

Version = tuple[int, int]

OLDEST: Version = (1, 15)
"""Loads the standard operators, and the fused ones for norms and activations. Older versions were not tried."""
BLOCKS: dict[int, Version] = {4: (1, 17), 8: (1, 22)}
"""MatMulNBits, by the bits of its weights."""
BIAS: Version = (1, 19)
"""MatMulNBits with a bias, which `fusion.bias` gives it."""
TABLES: Version = (1, 23)
"""GatherBlockQuantized with packed rows, the lookup in embeddings of integers."""
ATTENTION: Version = (1, 23)
"""GroupQueryAttention with a bias for padded batches."""
CACHE: Version = (1, 27)
"""GroupQueryAttention with an int8 cache, on a CPU."""


def parse_version(text: str) -> Version:
    """Return the version of a text such as `1.23`."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def show_version(version: Version) -> str:
    return ".".join(map(str, version))
