"""Compiles `kernels.c` with the system's compiler, and calls it."""

import ctypes
import mmap
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench.ceiling.layouts import Array, Packed, Weights
from gpt2forge.measure.host import read_cpuinfo

SOURCE = Path(__file__).with_name("kernels.c")
COMPILER = "cc"
SETS = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni", "amx-tile", "amx-int8")
FLAGS = ("-O3", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread")
VNNI, AMX = "avx512_vnni", "amx_int8"  # as /proc/cpuinfo names them
ALIGNMENT = 64  # bytes


class Missing(Exception):
    """This machine cannot compile or run the kernels."""


class Matrix(ctypes.Structure):
    """The struct of the same name."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("block", ctypes.c_int64),
        ("data", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
    )


class Kernels:
    """The compiled kernels. Raises Missing where there is no compiler or no AVX512-VNNI."""

    def __init__(self) -> None:
        flags = read_cpuinfo().get("flags", "").split()
        if VNNI not in flags:
            raise Missing(f"this processor has no {VNNI}")
        self.library = compile_library()
        self.library.multiply.restype = ctypes.c_double
        self.has_tiles = AMX in flags and self.library.allow_tiles() == 0

    def multiply(
        self, kernel: str, matrices: Sequence[Matrix], x: Array, columns: int, threads: int
    ) -> tuple[float, Array]:
        """Multiply x (rows, at least the longest length) with each matrix; return the seconds and the last product.

        `columns` are the most that a matrix has.
        """
        out = np.zeros((len(x), columns), np.float32)
        seconds = self.library.multiply(
            getattr(self.library, kernel),
            (Matrix * len(matrices))(*matrices),
            *(ctypes.c_int64(len(matrices)), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data)),
            *(ctypes.c_int64(len(x)), ctypes.c_int(threads)),
        )
        return seconds, out


def compile_library() -> ctypes.CDLL:
    """Compile the kernels, and open them. Raises Missing, with the compiler's first line, where that fails."""
    if not shutil.which(COMPILER):
        raise Missing(f"there is no compiler `{COMPILER}`")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.so"
        words = [COMPILER, *FLAGS, *(f"-m{each}" for each in SETS), str(SOURCE), "-o", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"`{COMPILER}` failed: {done.stderr.strip().partition(chr(10))[0]}")
        return ctypes.CDLL(str(path))


class Copies:
    """Copies of a matrix in one layout, one for each layer, in memory of their own: `matrices` are their structs."""

    def __init__(self, weights: Weights, packed: Packed, count: int) -> None:
        arrays = [copy_array(array, count) for array in (packed.data, packed.scales, packed.offsets)]
        self.arrays = arrays  # the structs hold addresses alone
        shape = (weights.length, weights.columns, weights.block)
        self.matrices = [Matrix(*shape, *(each[layer].ctypes.data for each in arrays)) for layer in range(count)]


def copy_array(array: Array, count: int) -> Array:
    """Return copies of an array's bytes (count, bytes), each on a boundary of a cache line, on pages of the usual size.

    NumPy asks for huge pages, which ONNX Runtime does not.
    """
    stride = -(-max(array.nbytes, 1) // ALIGNMENT) * ALIGNMENT
    buffer = np.frombuffer(mmap.mmap(-1, count * stride), np.uint8).reshape(count, stride)
    buffer[:, : array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return buffer
