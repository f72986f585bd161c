"""onnx_ir is imported without sympy, and has it as soon as it needs it."""

import subprocess
import sys

from tests.workshop import ROOT


def run(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_package_is_opened_and_a_graph_written_without_sympy() -> None:
    program = """\
import sys
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.graph.gpt2 import build_graph
from gpt2forge.quantize.quantize_model import quantize_model
from gpt2forge.stages import export, fuse, quantize
print('onnx_ir' in sys.modules, 'sympy' in sys.modules)
"""
    assert run(program) == ["True False"]


def test_symbolic_dimensions_are_computed_by_the_real_sympy() -> None:
    program = """\
import sys
import gpt2forge.graph
import onnx_ir as ir
print('sympy' in sys.modules)
print(ir.SymbolicDim('past') + 2, ir.SymbolicDim('max(a, floor(b))').simplify())
import sympy
print(sympy.Max(1, 2), sympy.core.__name__, type(sympy).__name__)
"""
    assert run(program) == ["False", "past + 2 Max(a, b)", "2 sympy.core module"]


def test_what_imports_sympy_afterwards_gets_the_real_one() -> None:
    program = """\
import gpt2forge.graph
import onnx_ir as ir
import sympy.printing
from sympy import Symbol
print(sympy.Max.__module__, ir.SymbolicDim(Symbol('n')) * 3)
"""
    assert run(program) == ["sympy.functions.elementary.miscellaneous 3*n"]


def test_sympy_that_is_there_already_is_used() -> None:
    program = """\
import sympy
import gpt2forge.graph
import onnx_ir as ir
print(ir._core.sympy is sympy)
"""
    assert run(program) == ["True"]
