"""Defers the import of sympy until something uses it, which nothing in gpt2forge does.

onnx_ir imports sympy for arithmetic with symbolic dimensions: 0.4 s of processor time in every process that opens a
graph, of three steps of a build. While onnx_ir is imported, a module stands in for sympy that imports the real one at
its first use. Nothing else sees that module: it leaves `sys.modules` as soon as onnx_ir is there.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

LIBRARY, DEFERRED = "onnx_ir", "sympy"
FUNCTIONS = {"Max", "Min", "Mod", "floor", "sqrt"}
"""The functions that onnx_ir puts into a table while it is imported, and calls later if at all."""


class DeferredModule(ModuleType):
    """Stands in for a module until an attribute other than FUNCTIONS is read or one of them is called."""

    def __getattr__(self, name: str) -> Any:
        return defer(self.__name__, name) if name in FUNCTIONS else load(self.__name__, name)


def defer(module: str, name: str) -> Callable[..., Any]:
    return lambda *values: load(module, name)(*values)


def load(module: str, name: str) -> Any:
    """Return an attribute of the real module."""
    if isinstance(sys.modules.get(module), DeferredModule):
        del sys.modules[module]
    return getattr(importlib.import_module(module), name)


class DeferringLoader(Loader):
    """Loads a library as another loader does, with DEFERRED stood in for meanwhile."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        sys.modules.setdefault(DEFERRED, DeferredModule(DEFERRED))
        try:
            self.loader.exec_module(module)
        finally:
            if isinstance(sys.modules.get(DEFERRED), DeferredModule):
                del sys.modules[DEFERRED]


class DeferringFinder(MetaPathFinder):
    """Finds LIBRARY where Python finds it, and gives it a DeferringLoader."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == LIBRARY else None
        if spec is not None and spec.loader is not None:
            spec.loader = DeferringLoader(spec.loader)
        return spec


def install() -> None:
    """Let the next import of onnx_ir, if it is not imported yet, go without sympy."""
    if not any(isinstance(finder, DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder())
