"""The digest of the code that decides what a step makes: all that its stage and the worker reach inside gpt2forge.

1. A module is reached when it is imported, at its top or inside a function, by one that is reached; so are the packages
   it lies in.
2. Its code enters as tokens, without comments, docstrings and layout, so that only what can change a result
   changes a key.
"""

import ast
import io
import json
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpt2forge.digest import digest_bytes, digest_value
from gpt2forge.store.memo import Memo

PACKAGE = Path(__file__).parents[1]
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}
BLOCKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "{", tokenize.DEDENT: "}"}


def digest_code(modules: Sequence[Path], memo: Memo) -> str:
    """The digest of all code that the modules in these files reach."""
    return digest_value({name: read_module(path, memo)["tokens"] for name, path in find_reach(modules, memo).items()})


def find_reach(modules: Sequence[Path], memo: Memo) -> dict[str, Path]:
    """The modules that those in these files reach, themselves included, by name (rule 1)."""
    reached = {name_module(module): module for module in modules}
    pending = list(reached)
    while pending:
        name = pending.pop()
        for found in (*name_packages(name), *read_module(reached[name], memo)["imports"]):
            place = find_file(found)
            if place and found not in reached:
                reached[found] = place
                pending.append(found)
    return reached


def name_packages(name: str) -> list[str]:
    """A module's name and those of the packages that it lies in."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def name_module(path: Path) -> str:
    """A module's dotted name; one that is not ours is a toy, and goes by its file's name."""
    if PACKAGE not in path.parents:
        return path.stem
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_file(name: str) -> Path | None:
    """The file of a module of ours; None for a name that stands for something in a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def read_module(path: Path, memo: Memo) -> dict[str, list[str]]:
    """The digest of a file's tokens and the names of ours that it imports, remembered by its content."""
    name = digest_bytes(b"module " + memo.digest(path).encode())
    known = memo.recall(name)
    if known is not None:
        try:
            return dict(json.loads(known))
        except ValueError:
            pass  # a damaged memo is no memo
    source = path.read_text(encoding="utf-8")
    facts = {
        "tokens": digest_value(list(list_tokens(source))),
        "imports": sorted(set(list_imports(ast.parse(source)))),
    }
    memo.remember(name, json.dumps(facts))
    return facts  # type: ignore[return-value]


def list_imports(tree: ast.AST) -> Iterator[str]:
    """Every name that may be a module of ours, with the packages on the way."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == PACKAGE.name:
                yield from name_packages(name)


def list_tokens(source: str) -> Iterator[str]:
    """The tokens of a file by rule 2."""
    docstrings = set(find_docstrings(ast.parse(source)))
    in_docstring = False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.start in docstrings:
            in_docstring = True
        elif in_docstring and token.type == tokenize.NEWLINE:
            in_docstring = False
        elif token.type not in LAYOUT:
            yield BLOCKS.get(token.type, token.string)


def find_docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Where each docstring starts, as tokenize counts; strings that stand alone count as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.col_offset
