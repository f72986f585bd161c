"""The limit that the memory's speed sets to a token: all weights are read once for it."""

from collections.abc import Mapping
from typing import Any


def find_loop(peers: Mapping[str, Any]) -> str:
    """The fastest of the loops that read memory, between the rounds of the same run."""
    loops = peers["memory_gb_s"]
    return max(loops, key=lambda name: loops[name]["median"])


def find_limit(peers: Mapping[str, Any], name: str) -> float:
    """Milliseconds that reading a system's weights takes at the median of that loop."""
    speed = peers["memory_gb_s"][find_loop(peers)]["median"]
    return float(peers["systems"][name]["read_bytes"] / speed / 1e6)
