"""Recipe files, each parsed once by a process as long as its stat is the same.

Hundreds of recipes extend the same few files, and parsing YAML takes longer than everything else that a plan does with
a recipe. The rule is that of the stat cache: a file that changed within a clock tick is parsed again.
"""

import time
from pathlib import Path

from gpt2forge.recipe.yaml import Node, read_document
from gpt2forge.store.stat_cache import StatEntry, read_stat

parsed: dict[Path, tuple[StatEntry, Node]] = {}
"""The document of each file by its absolute path, and the file's stat from before it was read."""


def recall_document(path: Path) -> Node:
    """Return the document of a recipe file, as `read_document` does; whoever changes it copies it first."""
    place = path.absolute()
    try:
        entry = read_stat(path)
    except OSError:
        return read_document(path)  # it explains what is wrong
    known = parsed.get(place)
    if known and known[0] == entry and known[1].place.file == str(path):
        return known[1]
    is_settled = entry.settles_in(time.time_ns()) == 0
    document = read_document(path)
    if is_settled and entry == read_stat(path):
        parsed[place] = entry, document
    return document
