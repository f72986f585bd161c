"""TensorFlow runs in its own process and environment, never beside PyTorch.

Its libraries and those of Triton, which PyTorch's CUDA build imports, crash when one process holds both.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from subprocess import run

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from interop.environments import HERE
from interop.tensorflow_process import NO_WHEEL, TensorFlowFault, make_tensorflow, run_modules

ROOT = Path(__file__).parents[1]
FOLDERS = ("gpt2forge", "tests", "bench", "examples", "interop", "tools")
APART = ("tensorflow", "keras", "tensorboard")
SCRIPTS = (
    "bench/checkpoint.py",
    "bench/object_checkpoint.py",
    "interop/tensorflow/read.py",
    "interop/tensorflow/save.py",
    "tests/checkpoint/tensorflow_cases.py",
    "tests/checkpoint/tf2_cases.py",
)
"""The files that run in TensorFlow's process."""
LOADERS = ("__import__", "import_module", "importorskip", "run_module")

needs_tensorflow = pytest.mark.skipif(bool(NO_WHEEL), reason=NO_WHEEL)


def list_imports(tree: ast.AST, package: tuple[str, ...] = ()) -> Iterator[str]:
    """List the dotted names that a module of this package imports at any level, and those it loads by a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Call) and node.args:
            called, first = node.func, node.args[0]
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in LOADERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def is_apart(name: str) -> bool:
    """Return whether a dotted name belongs to TensorFlow; `tensorflow_io` and its like do too."""
    return name.partition(".")[0].startswith(APART)


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Return the imports of every Python file of the repository, by path."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    found = {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in files}
    return {path.as_posix(): set(list_imports(tree, path.parent.parts)) for path, tree in found.items()}


def test_only_the_scripts_of_its_process_import_tensorflow(imports: dict[str, set[str]]) -> None:
    found = {path for path, names in imports.items() if any(is_apart(name) for name in names)}
    assert sorted(found) == sorted(SCRIPTS)


def test_nothing_imports_a_script_of_its_process(imports: dict[str, set[str]]) -> None:
    modules = {script.removesuffix(".py").replace("/", ".") for script in SCRIPTS}
    assert {path: names & modules for path, names in imports.items() if names & modules} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import tensorflow as tf",
        "import numpy, keras.layers",
        "from tensorflow.python import training",
        "def load():\n    if True:\n        import tensorboard",
        "importlib.import_module('tensorflow.compat.v1')",
        "tf = pytest.importorskip('tensorflow')",
        "__import__('tensorflow_io')",
    ],
)
def test_import_of_tensorflow_is_noticed(source: str) -> None:
    assert any(is_apart(name) for name in list_imports(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["from bench import checkpoint", "from bench.checkpoint import make_checkpoint", "from .checkpoint import main"],
)
def test_import_of_a_script_is_noticed(source: str) -> None:
    assert "bench.checkpoint" in list_imports(ast.parse(source), ("bench",))


@pytest.mark.parametrize("source", ["from interop.tensorflow_process import READ", "find_spec('tensorflow')"])
def test_what_loads_no_tensorflow_is_allowed(source: str) -> None:
    assert not any(is_apart(name) for name in list_imports(ast.parse(source)))


def test_environment_of_the_tests_has_no_tensorflow() -> None:
    assert find_spec("tensorflow") is None, f"an earlier version installed it; remove {sys.prefix} and make it again"


@pytest.mark.slow
@needs_tensorflow
def test_environment_of_tensorflow_holds_what_is_pinned_and_no_more() -> None:
    lines = (HERE / "tensorflow/requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    command = [sys.executable, "-m", "pip", "--python", str(make_tensorflow()), "freeze", "--all", "--exclude", "pip"]
    freeze = run(command, capture_output=True, text=True, check=True).stdout
    found = [Requirement(line) for line in freeze.splitlines()]
    assert {(canonicalize_name(each.name), str(each.specifier)) for each in found} == {
        (canonicalize_name(each.name), str(each.specifier))
        for each in pins
        if not each.marker or each.marker.evaluate()
    }


@pytest.mark.slow
@needs_tensorflow
def test_module_that_fails_in_its_process_is_one_line() -> None:
    with pytest.raises(TensorFlowFault) as caught:
        run_modules(("no_such_module",))
    assert str(caught.value) == "TensorFlow's process failed: ImportError: No module named no_such_module"
