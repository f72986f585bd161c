"""One document out of several: a file, the parents it extends, and changes from the command line.

1. Mappings merge key by key, the extending file wins, lists replace.
2. `null` deletes what a parent said.
3. `extends` is a path that starts at the folder of the file it stands in. A cycle is an error.
4. A change `a.b=c` comes last; its value is YAML.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from gpt2forge.document import Node, parse, read_document
from gpt2forge.errors import Fault, Place, RecipeError, UserError


def compose_document(path: Path, changes: Sequence[str] = ()) -> Node:
    """Read a recipe file with all it extends, then apply the changes in order."""
    document = reduce(merge, (document for _, document in reversed(read_chain(path))))
    for change in changes:
        addition = parse_change(change)
        check_deletion(document, addition)
        document = merge(document, addition)
    return drop_nulls(document)


def check_deletion(document: Node, addition: Node) -> None:
    """Raises UserError when a change deletes what is not there: a slip of the pen that would else pass in silence."""
    while isinstance(addition.value, dict) and isinstance(document.value, dict):
        ((key, node),) = addition.value.items()
        if node.value is None and key not in document.value:
            raise UserError(f"{addition.place}: there is nothing to delete; give a value")
        document, addition = document.value.get(key, Node({}, document.place)), node


def read_chain(path: Path) -> list[tuple[Path, Node]]:
    """A file and what it says itself, then the same of its parent, and so on."""
    chain: list[tuple[Path, Node]] = []
    while True:
        document = read_document(path)
        extends = document.value.pop("extends", None)
        chain.append((path, document))
        if extends is None or extends.value is None:
            return chain
        path = find_parent(path, extends, [file for file, _ in chain])


def find_parent(path: Path, extends: Node, children: Sequence[Path]) -> Path:
    """The file that `extends` names; raises RecipeError when there is none, or it is among those that extend it."""
    if not isinstance(extends.value, str):
        raise RecipeError([Fault(extends.place, "`extends` is the path of one recipe file")])
    parent = path.parent / extends.value
    if parent.resolve() in [child.resolve() for child in children]:
        raise RecipeError(
            [Fault(extends.place, f"`extends: {extends.value}` leads back to this file; a cycle has no result")]
        )
    if not parent.is_file():
        raise RecipeError([Fault(extends.place, f"`extends: {extends.value}`: there is no file `{parent}`")])
    return parent


def merge(below: Node, above: Node) -> Node:
    """Rules 1 and 2; nulls stay in the result, so that they delete further down a chain too."""
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, above.place)


def drop_nulls(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    return Node({key: drop_nulls(child) for key, child in node.value.items() if child.value is not None}, node.place)


def parse_change(change: str) -> Node:
    """Turn `a.b=c` into the document `{a: {b: c}}`."""
    path, equals, text = change.partition("=")
    keys, place = path.split("."), Place(f"--set {' '.join(change.split())}")
    if not equals or not all(keys):
        raise UserError(f"{place}: write it as `--set section.key=value`")
    if keys[0] == "extends":
        raise UserError(f"{place}: what a recipe extends is decided in its file; set single values instead")
    node = Node(parse(text or "null", place.file).value, place)
    for key in reversed(keys):
        node = Node({key: node}, place)
    return node
