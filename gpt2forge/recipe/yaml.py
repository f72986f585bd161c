"""A YAML document in which every value knows the place it came from. The only module that knows YAML.

Stricter than YAML 1.1, so that a recipe means what it seems to mean:
1. Only `true` and `false` are booleans (`yes`, `no`, `on` stay strings), and `1e-5` is a float.
2. A key that stands twice in one mapping is an error.
3. A file has one document, without tags, anchors and aliases: a few bytes of aliases can stand for gigabytes.

libyaml reads most recipes, twenty times as fast as PyYAML's own parser, which reads those in which the two may differ
and those with a fault: it decides what is one and words the message.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from gpt2forge.errors import Fault, Place, RecipeError, UserError
from gpt2forge.recipe.syntax_faults import KEY_WITHOUT_SPACE, Problem, describe_colon, explain_syntax
from gpt2forge.regular_file import read_whole

try:
    from yaml import CSafeLoader as Libyaml
except ImportError:  # PyYAML was built without it
    Libyaml = yaml.SafeLoader  # type: ignore[assignment, misc]

LARGEST = 1 << 16  # bytes; a recipe is a page, and this much takes PyYAML two seconds
DEEPEST = 32
LONGEST = 20  # characters of a whole number

INT, FLOAT, BOOL, NULL, STR = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null", "str"))
PARTING = ("?", "|", ">", "\\", "---")  # libyaml may read texts with these otherwise, and those that are not printable
LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as PyYAML counts lines
PATTERNS = (
    (INT, r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
    (BOOL, r"true|false", "tf"),
    (NULL, r"null|~|", ["n", "~", ""]),
)


@dataclass(frozen=True)
class Node:
    """A value (a scalar, a dict of nodes or a list of nodes) and its place.

    `is_empty`: nothing stands behind the key, which YAML takes for a null. `begins`: the place of the value itself, for
    an entry of a mapping, whose place is its key's.
    """

    value: Any
    place: Place
    is_empty: bool = False
    begins: Place | None = None

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def nearest(self, path: tuple[str | int, ...]) -> "Node":
        """Return the node at this path, or the last one on the way that exists."""
        node = self
        for part in path:
            known = isinstance(node.value, dict) and part in node.value
            if not known and not (isinstance(node.value, list) and isinstance(part, int) and part < len(node.value)):
                break
            node = node.value[part]
        return node

    def find(self, path: Sequence[str]) -> "Node | None":
        """Return the node at this path of keys; None if the document has none."""
        node = self
        for key in path:
            if not isinstance(node.value, dict) or key not in node.value:
                return None
            node = node.value[key]
        return node


class StrictComposer(Composer, Resolver):
    """Makes nodes of a parser's events, with rule 1's scalars and rule 3's refusals."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 (PyYAML's own class attribute, filled below)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[attr-defined]
        anchor, mark = getattr(event, "anchor", None), event.start_mark
        if getattr(index, "value", None) == "<<":
            message = "merging with `<<` is not allowed; use `extends`"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=index.start_mark)
        if isinstance(event, yaml.AliasEvent):
            fix = f'what begins with `*` needs quotes, as in `"*{anchor}"`'
            raise yaml.MarkedYAMLError(problem=f"aliases are not allowed; {fix}", problem_mark=mark)
        if anchor:
            message = "anchors and aliases are not allowed; use `extends`"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=mark)
        if getattr(event, "tag", None):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise yaml.MarkedYAMLError(problem=f"the tag `{tag}` is not allowed; remove it", problem_mark=mark)
        return super().compose_node(parent, index)


for tag, pattern, first in PATTERNS:
    StrictComposer.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), list(first))


class StrictLoader(StrictComposer, yaml.SafeLoader):
    """Reads the events with PyYAML's own parser."""


class QuickLoader(StrictComposer, Libyaml):
    """Reads the events with libyaml."""

    def __init__(self, text: str) -> None:
        Libyaml.__init__(self, text)
        Composer.__init__(self)


def read_document(path: Path, what: str = "a recipe", like: str = "`name: ...`, `source: ...`, `target: ...`") -> Node:
    """Read a YAML file that is a mapping. Messages call it `what`, and give `like` as an example.

    Raises UserError if the file cannot be read, RecipeError if it is not such a document.
    """
    try:
        text = read_whole(path, LARGEST).decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    document = parse(text, str(path))
    if not isinstance(document.value, dict):
        missing = f"; {describe_colon(text)}" if KEY_WITHOUT_SPACE.match(text) else ""
        raise RecipeError([Fault(Place(str(path), 1, 1), f"{what} is a mapping: {like}{missing}")])
    return document


def parse(text: str, file: str) -> Node:
    """Parse one YAML value; messages name `file`."""
    try:
        root = compose(text)
    except yaml.MarkedYAMLError as error:
        raise RecipeError([describe_syntax(error, text, file)]) from error
    except yaml.reader.ReaderError as error:
        raise RecipeError([describe_character(error, text, file)]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError([Fault(Place(file), f"not YAML: {' '.join(str(error).split())}")]) from error
    faults: list[Fault] = []
    node = convert(root, file, faults, 0) if root is not None else Node({}, Place(file, 1, 1))
    if faults:
        raise RecipeError(faults)
    return node


def describe_syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Fault:
    """Return the fault that stopped the parser, at its place."""
    what = " ".join((error.problem or "not YAML").split())
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
    if not marks:
        return Fault(Place(file), what)
    at, *_, began = [(mark.line, mark.column) for mark in (marks[0], *marks)]
    problem = Problem(what=what, context=error.context or "", at=at, began=began, lines=LINE_END.split(text))
    (line, column), message = explain_syntax(problem)
    return Fault(Place(file, line + 1, column + 1), message)


def describe_character(error: yaml.reader.ReaderError, text: str, file: str) -> Fault:
    """Return the fault of a character that no YAML file may have."""
    before = text[: error.position]
    place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Fault(place, f"the character U+{ord(text[error.position]):04X} is not allowed; remove it")


def compose(text: str) -> yaml.Node | None:
    """Compose the nodes of a text, None if it is empty. Raises the errors of PyYAML's own parser."""
    if text.replace("\n", "").isprintable() and not any(part in text for part in PARTING):
        with suppress(yaml.YAMLError, RecursionError):
            return yaml.compose(text, Loader=QuickLoader)
    return yaml.compose(text, Loader=StrictLoader)


def convert(node: yaml.Node, file: str, faults: list[Fault], depth: int) -> Node:
    """Convert a YAML node to ours, and add what is wrong to `faults`."""
    place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if depth > DEEPEST:
        faults.append(Fault(place, f"nested deeper than {DEEPEST}"))
        return Node(None, place)
    if isinstance(node, yaml.SequenceNode):
        return Node([convert(item, file, faults, depth + 1) for item in node.value], place)
    if isinstance(node, yaml.MappingNode):
        return Node(dict(convert_pairs(node, file, faults, depth)), place)
    return Node(convert_scalar(node.tag, node.value), place)


def convert_pairs(node: yaml.MappingNode, file: str, faults: list[Fault], depth: int) -> Iterator[tuple[str, Node]]:
    """Yield the entries of a mapping. The place of an entry is its key's, which a person looks for."""
    seen: dict[str, Place] = {}
    for key_node, value_node in node.value:
        place = Place(file, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            faults.append(Fault(place, "a key must be a word"))
            continue
        if key_node.value in seen:
            faults.append(
                Fault(place, f"the key `{key_node.value}` is already in line {seen[key_node.value].line}; remove one")
            )
        seen[key_node.value] = place
        is_empty = isinstance(value_node, yaml.ScalarNode) and value_node.tag == NULL and not value_node.value
        value = convert(value_node, file, faults, depth + 1)
        yield key_node.value, Node(value.value, place, is_empty, value.place)


def write_value(value: Any) -> str:
    """Return a scalar as YAML writes it."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20)
    return text.removesuffix("...\n").strip()


def write_document(values: Mapping[str, Any]) -> str:
    """Return nested values as a YAML document, in their order."""
    text: str = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=120)
    return text


def is_text(word: str) -> bool:
    """Return whether YAML reads this word, without quotes, as text and not as a number, boolean or null."""
    return not any(re.fullmatch(pattern, word) for _, pattern, _ in PATTERNS)


def convert_scalar(tag: str, text: str) -> Any:
    """Return the value of a scalar by rule 1."""
    if tag == BOOL:
        return text == "true"
    if tag == NULL:
        return None
    if tag == INT and len(text) < LONGEST:
        return int(text.replace("_", ""))
    number = float(text.replace("_", "")) if tag == FLOAT else nan
    return number if isfinite(number) else text  # nobody means the infinity of 1e999
