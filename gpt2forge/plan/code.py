"""The digests of the code that decides the result of a step: the modules that its stage and the worker reach.

1. A module of gpt2forge is reached if a reached module imports it, at its top or inside a function; so are the packages
   that contain it. UNDECIDING are left out: no result depends on them.
2. A module enters as tokens, without comments, docstrings and layout, so that only code that can change a result
   changes a key.
3. The arguments of a raised exception are left out too: where an error is raised, nothing is made.
"""

import ast
import io
import re
import token
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

from gpt2forge.digest import digest_bytes, digest_value
from gpt2forge.store.stat_cache import StatCache

PACKAGE = Path(__file__).parents[1]
UNDECIDING = {
    *("gpt2forge.errors", "gpt2forge.units", "gpt2forge.stages.failure", "gpt2forge.stages.throttle"),
    *("gpt2forge.checkpoint.check_tokenizer", "gpt2forge.checkpoint.hard_texts"),
    *("gpt2forge.checkpoint.tf1.openai_encoder", "gpt2forge.checked_import"),
}
"""Modules that format messages, throttle progress, compare code with its key, or stop a wrong conversion."""

LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}
SUMMARY = re.compile(r"[0-9a-f]{64}( [\w.]+)*")  # of a module, as the stat cache keeps it
FSTRING_START = getattr(token, "FSTRING_START", None)
FSTRING_END = getattr(token, "FSTRING_END", None)
BLOCKS = {tokenize.NEWLINE: "\n", tokenize.INDENT: "\t+", tokenize.DEDENT: "\t-"}


@dataclass(frozen=True)
class Module:
    """The digests of a file's bytes and of its tokens, and the names of the modules of gpt2forge that it imports."""

    source: str
    tokens: str
    imports: tuple[str, ...]


def digest_code(modules: Sequence[Path], stat_cache: StatCache) -> dict[str, str]:
    """Return the digest of each module that these files reach, by name."""
    return {name: module.tokens for name, module in sorted(find_reach(modules, stat_cache).items())}


def find_reach(modules: Sequence[Path], stat_cache: StatCache) -> dict[str, Module]:
    """Find the modules that these files reach, their own included, by name (rule 1)."""
    pending = {name_module(module): module for module in modules}
    reached: dict[str, Module] = {}
    while pending:
        name, path = pending.popitem()
        reached[name] = read_module(path, stat_cache)
        for found in (*name_packages(name), *reached[name].imports):
            is_new = found not in reached and found not in pending and found not in UNDECIDING
            if is_new and (place := find_file(found)):
                pending[found] = place
    return reached


def name_packages(name: str) -> list[str]:
    """List the names of a module and of the packages that contain it."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def name_module(path: Path) -> str:
    """Return a module's dotted name; outside gpt2forge, as the toy stages of tests are, its file's stem."""
    if PACKAGE not in path.parents:
        return path.stem
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_file(name: str) -> Path | None:
    """Return the file of a module of gpt2forge; None for the name of something inside a module."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def read_module(path: Path, stat_cache: StatCache) -> Module:
    """Read a module; one with the same content is read once and then recalled."""
    digest = stat_cache.digest(path)
    known = stat_cache.recall(name_summary(digest))
    if known is not None and SUMMARY.fullmatch(known):
        tokens, *imports = known.split()
        return Module(digest, tokens, tuple(imports))
    module = parse_module(path.read_bytes())
    stat_cache.remember(name_summary(module.source), " ".join((module.tokens, *module.imports)))
    return module


def parse_module(data: bytes) -> Module:
    source = decode_source(data)
    tokens = digest_value(list(list_tokens(source)))
    return Module(digest_bytes(data), tokens, tuple(sorted(set(list_imports(ast.parse(source))))))


def name_summary(source: str) -> str:
    """Return the name of a module's summary in the stat cache, by the digest of its bytes."""
    return digest_bytes(b"module " + source.encode())


def list_imports(tree: ast.AST) -> Iterator[str]:
    """List every imported name that may be a module of gpt2forge, and the packages that contain it."""
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
    """List the tokens of a file by rules 2 and 3."""
    tree = ast.parse(source)
    docstrings = set(find_docstrings(tree))
    spans = find_raised(tree, source.splitlines(keepends=True))
    in_docstring = False
    for found in list_whole_tokens(source):
        if found.start in docstrings:
            in_docstring = True
        elif in_docstring and found.type == tokenize.NEWLINE:
            in_docstring = False
        elif found.type not in LAYOUT and not any(start <= found.start < end for start, end in spans):
            yield BLOCKS.get(found.type, found.string)


def list_whole_tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """List the tokens of a file, each f-string as one: Python 3.12 and later split it, which would change keys."""
    lines = source.splitlines(keepends=True)
    opened: list[tokenize.TokenInfo] = []
    for found in tokenize.generate_tokens(io.StringIO(source).readline):
        if found.type == FSTRING_START:
            opened.append(found)
        elif found.type == FSTRING_END:
            first = opened.pop()
            if not opened:
                yield found._replace(string=cut(lines, first.start, found.end), start=first.start)
        elif not opened:
            yield found


def cut(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two positions, each a row from 1 and a column from 0."""
    text = "".join(lines[start[0] - 1 : end[0]])
    return text[start[1] : len(text) - len(lines[end[0] - 1]) + end[1]]


def find_raised(tree: ast.AST, lines: Sequence[str]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Find the arguments of each raised exception: the start and end of the parentheses, as tokenize counts."""
    calls = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
    return [
        (
            count_characters(lines, call.func.end_lineno, call.func.end_col_offset),
            count_characters(lines, call.end_lineno, call.end_col_offset),
        )
        for call in calls
    ]


def count_characters(lines: Sequence[str], row: int | None, offset: int | None) -> tuple[int, int]:
    """Convert a position of ast, whose columns are bytes of UTF-8, to one of tokenize."""
    assert row is not None and offset is not None
    return row, len(lines[row - 1].encode()[:offset].decode())


def find_docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Find the starts of docstrings, as tokenize counts; any string that is a statement counts as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.col_offset
