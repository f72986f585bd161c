"""The variants of a recipe, which its `matrix` makes.

1. A mapping holds the changes of each variant by its name.
2. A list of such mappings makes every combination of one from each. Names are joined by `-`; later changes win.
3. The changes of a variant are merged over the whole recipe, where `null` deletes too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

from gpt2forge.errors import Fault
from gpt2forge.recipe.merge import merge
from gpt2forge.recipe.yaml import Node

MOST = 256  # variants of one recipe
LONGEST = 230  # characters of a variant's name, which becomes part of a file's
NAME = re.compile(r"(?!.*\.\.)(?!.*\.(?:ya?ml|json)$)[A-Za-z0-9._-]+")
NAMED = "a variant's name is made of letters, digits, `.`, `_` and `-`, without `..`, and ends in no `.yaml` or `.json`"
FORM = "`int8: {quantization: {scheme: int8}}`"
NONE = f"`matrix` is a mapping with at least one variant, as in {FORM}, or a list of such mappings"
REFUSED = {
    "name": "a variant is published as `RECIPE@VARIANT`, so leave `name` out",
    "extends": "all variants extend the same files, so move `extends` to the top of the file",
    "matrix": "a variant has no variants; for combinations make `matrix` a list of mappings",
}


@dataclass(frozen=True)
class Variant:
    """A variant's name and its changes, whose nulls delete."""

    name: str
    changes: Node


def list_variants(matrix: Node, faults: list[Fault]) -> list[Variant]:
    """Return the variants in the order of the file, without those that have faults, which are added to `faults`."""
    axes = matrix.value if isinstance(matrix.value, list) else [drop_deleted(matrix)]
    made = [list(list_axis(axis, faults)) for axis in axes]
    if not axes:
        faults.append(Fault(matrix.place, NONE))
        return []
    count = prod(len(variants) for variants in made)
    if count > MOST:
        faults.append(Fault(matrix.place, f"`matrix` makes {count} variants; {MOST} are allowed, so split the recipe"))
        return []
    variants: dict[str, Variant] = {}
    if sum(max((len(each.name) + 1 for each in axis), default=0) for axis in made) > LONGEST:
        faults.append(
            Fault(matrix.place, f"`matrix` makes a name of more than {LONGEST} characters; shorten the names")
        )
        return []
    for parts in product(*made):
        variant = combine(parts)
        if variant.name in variants:
            faults.append(
                Fault(variant.changes.place, f"`matrix` makes the variant `{variant.name}` twice; rename one")
            )
        variants[variant.name] = variant
    return list(variants.values())


def list_axis(axis: Node, faults: list[Fault]) -> Iterator[Variant]:
    """Yield the variants of one mapping."""
    known = axis.value if isinstance(axis.value, dict) else {}
    if not known:
        faults.append(Fault(axis.place, NONE))
    for name, changes in known.items():
        found = list(list_faults(name, changes))
        faults.extend(found)
        if not found:
            yield Variant(name, changes)


def drop_deleted(matrix: Node) -> Node:
    """Remove the variants that a null deletes; deeper nulls are kept, because they delete in the recipe."""
    if not isinstance(matrix.value, dict):
        return matrix
    return Node({name: node for name, node in matrix.value.items() if node.value is not None}, matrix.place)


def list_faults(name: str, changes: Node) -> Iterator[Fault]:
    """Yield what is wrong with one variant."""
    if not NAME.fullmatch(name):
        yield Fault(changes.place, NAMED)
    if not isinstance(changes.value, dict):
        yield Fault(changes.place, f"a variant is a mapping of its changes, as in {FORM}")
        return
    for key, message in REFUSED.items():
        if key in changes.value:
            yield Fault(changes.value[key].place, message)


def combine(parts: Sequence[Variant]) -> Variant:
    """Return the combination of variants (rule 2)."""
    return Variant("-".join(part.name for part in parts), reduce(merge, (part.changes for part in parts)))
