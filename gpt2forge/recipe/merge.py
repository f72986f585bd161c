"""Merges documents: a file, the parents that it extends, and changes from the command line.

1. Mappings merge key by key, and the extending file wins. Lists are replaced whole.
2. `null` deletes the value of a parent.
3. `extends` is a path, or a list of paths of which later ones win. Each starts at the folder of the file that names it.
   `gpt2forge/NAME` is a base recipe, which comes with the package.
   A file that is reached in several ways counts once, below the first file that extends it. A cycle is an error.
4. Changes come last: `a.b=c`, whose value is YAML, or `~a.b`, which deletes.
"""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from gpt2forge.errors import Fault, Place, RecipeError, UserError, quote, suggest
from gpt2forge.recipe.base_recipes import find_base, find_similar, list_bases
from gpt2forge.recipe.documents import recall_document
from gpt2forge.recipe.yaml import DEEPEST, LARGEST, Node, parse

LONGEST = 60  # characters of a change in a message
LARGEST_SUM = 2 * LARGEST  # bytes of a recipe and all that it extends
DECIDED = {
    "extends": "only a recipe's file can say what it extends; set single values instead",
    "matrix": "only a recipe's file can say which variants it has; set single values instead",
}


def compose_document(path: Path) -> Node:
    """Read a recipe file with all that it extends; deleted values are still there, as nulls."""
    documents = (document for _, document in reversed(read_chain(path)))
    return reduce(extend, documents, Node({}, Place(str(path), 1, 1)))


def change_document(document: Node, changes: Sequence[str]) -> Node:
    """Apply the changes in order; deleted values are still there, as nulls."""
    for change in changes:
        addition = parse_change(change)
        check_deletion(document, addition)
        document = merge(document, addition)
    return document


def check_deletion(document: Node, addition: Node) -> None:
    """Raise UserError if a change deletes a value that does not exist: a typing error would pass in silence."""
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
    """Return a file and all that it extends, each with its own document; of two files, the one that wins is first."""
    read: dict[Path, tuple[Path, Node]] = {}
    read_below(path, [], read)
    return list(reversed(read.values()))


def read_below(path: Path, children: Sequence[Path], read: dict[Path, tuple[Path, Node]]) -> None:
    """Read a file after all that it extends, unless it is already in `read`."""
    if path.resolve() in read:
        return
    whole = recall_document(path)
    check_sum(path, [*read, *children])
    document = Node({key: node for key, node in whole.value.items() if key != "extends"}, whole.place)
    for entry in list_entries(whole.value.get("extends")):
        lineage = [*children, path]
        read_below(find_parent(path, entry, lineage), lineage, read)
    read[path.resolve()] = (path, document)


def check_sum(path: Path, others: Sequence[Path]) -> None:
    """Raise UserError if a file and those read before it are too large together: reading them takes minutes."""
    if sum(file.stat().st_size for file in (path, *others)) > LARGEST_SUM:
        raise UserError(f"{path}: a recipe and all that it extends have more than {LARGEST_SUM} bytes; shorten them")


def list_entries(extends: Node | None) -> list[Node]:
    """Return the paths that `extends` names. Raises RecipeError with every entry that is no path."""
    if extends is None or (extends.value is None and not extends.is_empty):
        return []
    entries: list[Node] = extends.value if isinstance(extends.value, list) else [extends]
    message = "`extends` is the path of a recipe file, or a list of such paths"
    wrong = [entry.place for entry in entries or [Node(None, extends.place)] if not isinstance(entry.value, str)]
    if wrong:
        raise RecipeError([Fault(place, message) for place in wrong])
    return entries


def find_parent(path: Path, entry: Node, children: Sequence[Path]) -> Path:
    """Return the file that an entry of `extends` names. Raises RecipeError if there is none, or for a cycle."""
    parent = find_base(entry.value) or path.parent / str(entry.value)
    if not parent.is_file():
        raise RecipeError([Fault(entry.place, f"`extends: {entry.value}`: {describe_missing(entry.value, parent)}")])
    if parent.resolve() in [child.resolve() for child in children]:
        problem = "leads back to this file; remove one of the `extends` of this cycle"
        raise RecipeError([Fault(entry.place, f"`extends: {entry.value}` {problem}")])
    if len(children) > DEEPEST:
        raise RecipeError([Fault(entry.place, f"`extends: {entry.value}`: a chain of more than {DEEPEST} files")])
    return parent


def describe_missing(entry: str, parent: Path) -> str:
    """Describe why there is no such parent, with the base recipe that may be meant."""
    if find_base(entry):
        return f"no base recipe has this name; there are {quote(list_bases())}"
    other, similar = find_other_ending(entry, parent), find_similar(entry)
    fix = f"; did you mean `{similar}`, which comes with gpt2forge?" if similar else ""
    fix = f"; did you mean `{other}`?" if other else fix
    return f"there is no file `{parent}`{fix}"


def find_other_ending(entry: str, parent: Path) -> str | None:
    """Return the entry with the ending of a file that is there: `.yaml` for `.yml`, or for none, or the reverse."""
    known = (ending for ending in (".yaml", ".yml") if parent.name and parent.with_suffix(ending).is_file())
    return next((str(Path(entry).with_suffix(ending)) for ending in known), None)


def extend(below: Node, above: Node) -> Node:
    """Merge two files. Raises RecipeError for a variant without a value that deletes nothing."""
    variants, known = above.find(("matrix",)), below.find(("matrix",))
    if variants and isinstance(variants.value, dict):
        there = known.value if known and isinstance(known.value, dict) else {}
        slips = [node.place for key, node in variants.value.items() if node.value is None and key not in there]
        if slips:
            message = "deletes a variant that no parent has; for one that changes nothing write `{}` behind it"
            raise RecipeError([Fault(place, message) for place in slips])
    return merge(below, above)


def merge(below: Node, above: Node) -> Node:
    """Merge two documents by rules 1 and 2; nulls stay, so that they also delete further down a chain."""
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, above.place)


def drop_nulls(node: Node) -> Node:
    """Return the document without its nulls."""
    if not isinstance(node.value, dict):
        return node
    return Node({key: drop_nulls(child) for key, child in node.value.items() if child.value is not None}, node.place)


def parse_change(change: str) -> Node:
    """Return `a.b=c` as the document `{a: {b: c}}`, and `~a.b` as `{a: {b: null}}`."""
    words = " ".join(change.split())
    place = Place(f"--set {words if len(words) <= LONGEST else words[:LONGEST] + '...'}")
    is_deletion = change.startswith("~")
    path, equals, text = change.removeprefix("~").partition("=")
    keys = [key.strip() for key in path.split(".")]
    if bool(equals) == is_deletion or not all(keys):
        form = "~section.key" if is_deletion else "section.key=value"
        raise UserError(f"{place}: write it as `--set {form}`")
    if equals and not text.strip():
        raise UserError(f"{place}: has no value; write one, or `--set ~{path.strip()}` to delete what a file sets")
    if len(keys) > DEEPEST:
        raise UserError(f"{place}: has {len(keys)} keys in a row; a recipe has at most {DEEPEST}")
    if keys[0] in DECIDED:
        raise UserError(f"{place}: {DECIDED[keys[0]]}")
    node = Node(parse(text or "null", place.file).value, place)
    for key in reversed(keys):
        node = Node({key: node}, place)
    return node
