"""Which bytes of a package a new token cannot do without."""

import json
from pathlib import Path

POSITIONS, TOKENS, HEAD = "wpe.weight", "wte.weight", "lm_head.weight"


def count_read_bytes(package: Path) -> int:
    """The bytes of all weights but those of tables of which a token needs one row.

    These are the positions, and the tokens where the LM head is a table of its own. Source: `tensors` of forge.json.
    """
    tensors = {
        tensor["name"]: tensor["bytes"] for tensor in json.loads((package / "forge.json").read_text())["tensors"]
    }
    looked_up = {POSITIONS, TOKENS} if HEAD in tensors else {POSITIONS}
    return sum(size for name, size in tensors.items() if name not in looked_up)
