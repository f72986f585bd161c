"""One document out of several: a file, the parents it extends, and changes from the command line.

1. Mappings merge key by key, the extending file wins, lists replace.
2. `null` deletes what a parent said.
3. `extends` is a path, or a list of paths of which later ones win; each starts at the folder of the file it stands in.
   A file that is reached in several ways counts once, before the first that extends it. A cycle is an error.
4. A change `a.b=c` comes last; its value is YAML. `~a.b` deletes.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from gpt2forge.errors import Fault, Place, RecipeError, UserError, suggest
from gpt2forge.recipe.yaml import DEEPEST, Node, parse, read_document

DECIDED = {
    "extends": "what a recipe extends is decided in its file; set single values instead",
    "matrix": "which variants a recipe has is decided in its file; set single values instead",
}


def compose_document(path: Path) -> Node:
    """Read a recipe file with all it extends; what is deleted is still there as a null."""
    documents = (document for _, document in reversed(read_chain(path)))
    return reduce(extend, documents, Node({}, Place(str(path), 1, 1)))


def change_document(document: Node, changes: Sequence[str]) -> Node:
    """Apply the changes in order; what is deleted is still there as a null."""
    for change in changes:
        addition = parse_change(change)
        check_deletion(document, addition)
        document = merge(document, addition)
    return document


def check_deletion(document: Node, addition: Node) -> None:
    """Raises UserError when a change deletes what is not there: a slip of the pen that would else pass in silence."""
    known = document.value if isinstance(document.value, dict) else {}
    for key, node in addition.value.items():
        below = known.get(key, Node(None, document.place))
        if node.value is None and below.value is None:
            there = [name for name, child in known.items() if child.value is not None]
            fix = suggest(key, there) if addition.place.file.startswith("--set ~") else "; give a value"
            raise UserError(f"{addition.place}: there is nothing to delete{fix}")
        if isinstance(node.value, dict):
            check_deletion(below, node)


def read_chain(path: Path) -> list[tuple[Path, Node]]:
    """A file and what it says itself, then the same of all that it extends; of two files the one that wins is first."""
    read: dict[Path, tuple[Path, Node]] = {}
    read_below(path, [], read)
    return list(reversed(read.values()))


def read_below(path: Path, children: Sequence[Path], read: dict[Path, tuple[Path, Node]]) -> None:
    """Read a file after all that it extends, unless it was read already."""
    if path.resolve() in read:
        return
    document = read_document(path)
    for entry in list_entries(document.value.pop("extends", None)):
        lineage = [*children, path]
        read_below(find_parent(path, entry, lineage), lineage, read)
    read[path.resolve()] = (path, document)


def list_entries(extends: Node | None) -> list[Node]:
    """The paths that `extends` names; raises RecipeError with all that are none."""
    if extends is None or extends.value is None:
        return []
    entries: list[Node] = extends.value if isinstance(extends.value, list) else [extends]
    message = "`extends` is the path of a recipe file, or a list of such paths"
    wrong = [entry.place for entry in entries or [Node(None, extends.place)] if not isinstance(entry.value, str)]
    if wrong:
        raise RecipeError([Fault(place, message) for place in wrong])
    return entries


def find_parent(path: Path, entry: Node, children: Sequence[Path]) -> Path:
    """The file that an entry names; raises RecipeError when there is none, or it is among those that extend it."""
    parent = path.parent / str(entry.value)
    if not parent.is_file():
        raise RecipeError([Fault(entry.place, f"`extends: {entry.value}`: there is no file `{parent}`")])
    if parent.resolve() in [child.resolve() for child in children]:
        raise RecipeError(
            [Fault(entry.place, f"`extends: {entry.value}` leads back to this file; a cycle has no result")]
        )
    if len(children) > DEEPEST:
        raise RecipeError([Fault(entry.place, f"`extends: {entry.value}`: a chain of more than {DEEPEST} files")])
    return parent


def extend(below: Node, above: Node) -> Node:
    """Merge, but raise RecipeError for a variant without a value, where that deletes nothing."""
    variants, known = above.find(("matrix",)), below.find(("matrix",))
    if variants and isinstance(variants.value, dict):
        there = known.value if known and isinstance(known.value, dict) else {}
        slips = [node.place for key, node in variants.value.items() if node.value is None and key not in there]
        if slips:
            message = "deletes a variant that no parent has; for one that changes nothing write `{}` behind it"
            raise RecipeError([Fault(place, message) for place in slips])
    return merge(below, above)


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
    """Turn `a.b=c` into the document `{a: {b: c}}`, and `~a.b` into the same with a null."""
    place = Place(f"--set {' '.join(change.split())}")
    is_deletion = change.startswith("~")
    path, equals, text = change.removeprefix("~").partition("=")
    keys = path.split(".")
    if bool(equals) == is_deletion or not all(keys):
        form = "~section.key" if is_deletion else "section.key=value"
        raise UserError(f"{place}: write it as `--set {form}`")
    if keys[0] in DECIDED:
        raise UserError(f"{place}: {DECIDED[keys[0]]}")
    node = Node(parse(text or "null", place.file).value, place)
    for key in reversed(keys):
        node = Node({key: node}, place)
    return node
