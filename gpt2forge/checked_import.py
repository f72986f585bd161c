"""Runs a module of gpt2forge from its sources: `python -P checked_import.py MODULE`. Standard library only.

Python trusts byte code whose file names the time and size of the source. A source may change and keep both, so workers
and the processes that they start are started by this program, which Python reads from its source:

1. A module of gpt2forge is compiled from its source, or from byte code that names the hash of its source (PEP 552).
2. The environment variable DIGESTS lists the modules that the step's key covers, with the sha256 of their sources. If
   the source of one is another, the process ends with the exit code CHANGED.
3. Other modules, such as libraries, are imported as usual.
"""

import hashlib
import importlib.util
import json
import marshal
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType

PACKAGE = "gpt2forge"
DIGESTS = "GPT2FORGE_CODE"
CHANGED = 81  # exit code
CHECKED = (3).to_bytes(4, "little")  # flags of byte code that names the hash of its source, to be compared with it
HEADER = 16  # bytes before the code: magic number, flags, hash


def make_command(module: str) -> list[str]:
    """Return the command of a process that runs a module by these rules."""
    return [sys.executable, "-P", __file__, module]


class CheckedLoader(SourceFileLoader):
    """Loads a module by rules 1 and 2; `digest` is the sha256 of its source, None if the key does not cover it."""

    def __init__(self, name: str, path: str, digest: str | None) -> None:
        super().__init__(name, path)
        self.digest = digest

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        if self.digest not in (None, hashlib.sha256(source).hexdigest()):
            os.write(2, f"{self.path}: changed after the key was made\n".encode())
            os._exit(CHANGED)
        start = importlib.util.MAGIC_NUMBER + CHECKED + importlib.util.source_hash(source)
        known = self.read_byte_code(start)
        return known or self.compile_source(source, start)

    def read_byte_code(self, start: bytes) -> CodeType | None:
        """Return the code of the module's byte code file; None unless it has this header."""
        try:
            data = self.get_data(importlib.util.cache_from_source(self.path))
            code = marshal.loads(data[HEADER:]) if data[:HEADER] == start else None
        except (OSError, NotImplementedError, ValueError, EOFError, TypeError):
            return None
        return code if isinstance(code, CodeType) else None

    def compile_source(self, source: bytes, start: bytes) -> CodeType:
        """Compile the source, and keep the byte code where Python keeps it, as other processes may use it too."""
        code: CodeType = self.source_to_code(source, self.path)
        if not sys.dont_write_bytecode:
            self.set_data(importlib.util.cache_from_source(self.path), start + marshal.dumps(code))
        return code


class CheckedFinder:
    """Finds the modules of gpt2forge as Python does, and has them loaded by a CheckedLoader."""

    def __init__(self, digests: Mapping[str, str]) -> None:
        self.digests = digests

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of gpt2forge, or of one that the key covers; None for any other (rule 3)."""
        if name.partition(".")[0] != PACKAGE and name not in self.digests:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec and spec.origin and type(spec.loader) is SourceFileLoader:
            spec.loader = CheckedLoader(name, spec.origin, self.digests.get(name))
        return spec


def main() -> None:
    """Run the module that the first argument names as a program."""
    module = sys.argv.pop(1)
    sys.meta_path.insert(0, CheckedFinder(json.loads(os.environ.get(DIGESTS, "{}"))))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
