"""The digests of the code that decides the result of a step: the modules that its stage and the worker reach.

1. A module of gpt2forge is reached if a reached module imports it, at its top or inside a function; so are the packages
   that contain it. UNDECIDING are left out: no result depends on them.
2. A module enters as tokens, without comments, docstrings and layout, so that only code that can change a result
   changes a key.
3. The arguments of a raised exception are left out too: where an error is raised, nothing is made.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import decode_source
from pathlib import Path

from gpt2forge.digest import digest_bytes, digest_value
from gpt2forge.plan.code_tokens import read_tokens
from gpt2forge.store.stat_cache import StatCache

PACKAGE = Path(__file__).parents[1]
UNDECIDING = {
    *("gpt2forge.errors", "gpt2forge.units", "gpt2forge.stages.failure", "gpt2forge.stages.throttle"),
    *("gpt2forge.checkpoint.check_tokenizer", "gpt2forge.checkpoint.hard_texts"),
    *("gpt2forge.checkpoint.tf1.openai_encoder", "gpt2forge.checked_import"),
}
"""Modules that format messages, throttle progress, compare code with its key, or stop a wrong conversion."""

SUMMARY = re.compile(r"[0-9a-f]{64}( [\w.]+)*")  # of a module, as the stat cache keeps it


@dataclass(frozen=True)
class Module:
    """The digests of a file's bytes and of its tokens, and the names of the modules of gpt2forge that it imports."""

    source: str
    tokens: str
    imports: tuple[str, ...]


Known = dict[str, Module | None]
"""The modules of gpt2forge that were read already, by name; None for the name of something inside a module."""


def digest_code(modules: Sequence[Path], stat_cache: StatCache, known: Known | None = None) -> dict[str, str]:
    """Return the digest of each module that these files reach, by name. See `find_reach` for `known`."""
    return {name: module.tokens for name, module in sorted(find_reach(modules, stat_cache, known).items())}


def find_reach(modules: Sequence[Path], stat_cache: StatCache, known: Known | None = None) -> dict[str, Module]:
    """Find the modules that these files reach, their own included, by name (rule 1).

    What is read is added to `known`, for the next stage of the same plan.
    """
    read = {} if known is None else known
    reached = {name_module(path): read_module(path, stat_cache) for path in modules}
    pending = list(reached)
    while pending:
        name = pending.pop()
        for found in (*name_packages(name), *reached[name].imports):
            if found in reached or found in UNDECIDING:
                continue
            if found not in read:
                read[found] = find_module(found, stat_cache)
            if module := read[found]:
                reached[found] = module
                pending.append(found)
    return reached


def find_module(name: str, stat_cache: StatCache) -> Module | None:
    """Read the module of gpt2forge of this name; None for the name of something inside a module."""
    place = find_file(name)
    return read_module(place, stat_cache) if place else None


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
    path = f"{PACKAGE.parent}{os.sep}{name.replace('.', os.sep)}"
    for file in (f"{path}.py", f"{path}{os.sep}__init__.py"):
        if os.path.isfile(file):  # noqa: PTH113 (a Path for each of a thousand names takes as long as reading them)
            return Path(file)
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


@lru_cache(maxsize=512)  # a process that plans in several stores parses each module once
def parse_module(data: bytes) -> Module:
    tokens, imported = read_tokens(decode_source(data))
    return Module(digest_bytes(data), digest_value(tokens), tuple(sorted(list_own(imported))))


def name_summary(source: str) -> str:
    """Return the name of a module's summary in the stat cache, by the digest of its bytes."""
    return digest_bytes(b"module " + source.encode())


def list_own(imports: set[str]) -> set[str]:
    """List those of the imported names that may be modules of gpt2forge, and the packages that contain them."""
    own = (name for name in imports if name.partition(".")[0] == PACKAGE.name)
    return {package for name in own for package in name_packages(name)}
