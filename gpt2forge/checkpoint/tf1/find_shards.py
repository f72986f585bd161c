"""Finds the .data files of a TensorFlow checkpoint, its shards."""

import re
from pathlib import Path

from gpt2forge.errors import UserError

SHARD = re.compile(r"\.data-(\d{5})-of-(\d{5})", re.ASCII)


def find_shards(folder: Path, prefix: str, names: set[str]) -> tuple[str, ...]:
    """Return the names of all shards of a checkpoint, in order."""
    matches = {name: SHARD.fullmatch(name.removeprefix(prefix)) for name in sorted(names) if name.startswith(prefix)}
    found = {name: (int(match[1]), int(match[2])) for name, match in matches.items() if match}
    counts = {count for _, count in found.values()}
    if len(counts) != 1:
        problem = "`.data-*` files of several checkpoints" if counts else "no `.data-*` file"
        raise UserError(f"{folder}: {problem} for `{prefix}.index`; copy the whole checkpoint there")
    count = counts.pop()
    if len(found) < count or count == 0:
        missing = next(shard for shard in range(count + 1) if (shard, count) not in found.values())
        raise UserError(
            f"{folder}: `{prefix}.data-{missing:05}-of-{count:05}` missing; copy the whole checkpoint there"
        )
    return tuple(found)
