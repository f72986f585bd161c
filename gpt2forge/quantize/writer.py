"""Writes the weights of a package: reads each one, quantizes it slice by slice on every core, and writes each slice.

Slices depend on the shape alone, and sums are added in their order, so any number of threads writes the same bytes.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.quantize.blocks import Floats, cut_slices, sum_squares
from gpt2forge.quantize.channel import find_magnitudes, fit_columns, quantize_rows, scale_channels
from gpt2forge.quantize.coverage import CoverageRow, compute_relative_error
from gpt2forge.quantize.data_file import DataFile, map_weight
from gpt2forge.quantize.embeddings import POSITIONS
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.float16 import round_to_float16
from gpt2forge.quantize.gptq import Feedback, quantize_columns
from gpt2forge.quantize.scratch import Scratch
from gpt2forge.quantize.stored_weight import StoredWeight

SLICE = 320 * 1024  # weights in a slice: about a core's cache, and long enough that threads rarely wait for each other
CALIBRATED = 640  # columns in a slice that is rounded row by row: enough that the arithmetic outweighs the calls
STEP = 16  # columns; a slice is a multiple, so that the parts of a row that it reads are whole cache lines

Tick = Callable[[int], None]
"""Called with the number of source bytes that were just finished, always from the same thread."""


class ThreadLocal(threading.local):
    """The scratch arrays of each thread."""

    def __init__(self) -> None:
        self.scratch = Scratch()


@dataclass(frozen=True)
class SliceSums:
    """The sums of one slice: squares of the errors, squares of the weights, and bytes of the source."""

    square_error: float
    square: float
    size: int


@dataclass(frozen=True)
class WeightWriter:
    """Reads weights from `folder` and writes them into `file`, on the threads of `pool`.

    `sources` are the float32 weights by name; `fit` changes them before they are stored.
    """

    folder: Path
    file: DataFile
    pool: Executor
    tick: Tick
    sources: Mapping[str, ir.ExternalTensor]
    fit: Fit
    local: ThreadLocal = field(default_factory=ThreadLocal)

    def store(self, weight: StoredWeight) -> CoverageRow:
        """Store one weight. Raises UserError if a value that is to be quantized is not finite."""
        values = self.fit.change(weight.name, self.read(weight.name), self.read)
        try:
            error = self.write(weight, values)
        except ValueError as fault:
            raise self.explain(weight, fault) from fault
        size = weight.data.length + (weight.scales.length if weight.scales else 0)
        bits, block = (weight.storage.bits, weight.storage.block) if weight.storage else (32, None)
        return CoverageRow(weight.name, values.size, bits=bits, block=block, bytes=size, error=error)

    def explain(self, weight: StoredWeight, fault: ValueError) -> UserError:
        """Return the error of a weight that cannot be quantized, with ways to avoid it."""
        instead = "`scheme: none`"
        if weight.storage and weight.storage.is_half and weight.name == POSITIONS:
            instead = "`positions: float32`, or `scheme: none` where everything is float16"
        return UserError(
            f"{self.folder / str(weight.source.location)}: `{weight.name}` cannot be quantized: {fault}; "
            f"start from an earlier checkpoint, or use {instead}"
        )

    def read(self, name: str) -> Floats:
        return map_weight(self.sources[name], self.folder)

    def write(self, weight: StoredWeight, values: Floats) -> float:
        """Write a weight as its storage says, and return its relative error."""
        if weight.storage is None:
            return self.write_floats(weight, values.reshape(-1))
        if weight.storage.is_half:
            return self.write_halves(weight, values)
        if weight.storage.block is None:
            return self.write_channels(weight, values)
        columns = values.T if weight.table else values
        return self.write_blocks(weight, columns, bits=weight.storage.bits, block=weight.storage.block)

    def write_floats(self, weight: StoredWeight, values: Floats) -> float:
        """Copy `values` (N,) unchanged."""
        for part in cut_slices(len(values), SLICE):
            self.file.write(weight.data, 4 * part.start, values[part])
            self.tick(values[part].nbytes)
        return 0.0

    def write_halves(self, weight: StoredWeight, values: Floats) -> float:
        """Write `values` (R, N) or (R,) as float16, in slices of rows."""
        data, values = weight.data, values.reshape(len(values), -1)

        def write_slice(part: slice) -> SliceSums:
            halves = round_to_float16(values[part])
            self.file.write(data, part.start * halves[0].nbytes, halves)
            errors = halves.astype(np.float32) - values[part]
            return SliceSums(sum_squares(errors), sum_squares(np.array(values[part])), values[part].nbytes)

        return self.add_up(write_slice, cut_slices(len(values), count_vectors(values.shape[1])))

    def write_blocks(self, weight: StoredWeight, columns: Floats, bits: int, block: int) -> float:
        """Write `columns` (K, N) in blocks along K, in slices of columns."""
        assert weight.scales is not None
        data, scales, feedback = weight.data, weight.scales, self.find_feedback(weight)
        step = CALIBRATED if feedback else count_vectors(columns.shape[0])

        def write_slice(part: slice) -> SliceSums:
            blocks = quantize_columns(columns[:, part], bits, block, feedback=feedback, scratch=self.local.scratch)
            self.file.write(data, part.start * blocks.data[0].nbytes, blocks.data)
            self.file.write(scales, part.start * blocks.scales[0].nbytes, blocks.scales)
            return SliceSums(blocks.square_error, blocks.square, columns[:, part].nbytes)

        return self.add_up(write_slice, cut_slices(columns.shape[1], step))

    def write_channels(self, weight: StoredWeight, values: Floats) -> float:
        """Write `values` (K, N) with one scale for each column, in slices of rows, or of columns with feedback."""
        assert weight.scales is not None and weight.storage is not None
        parts = list(cut_slices(len(values), count_vectors(values.shape[1])))
        magnitudes = list(self.pool.map(lambda part: find_magnitudes(values[part]), parts))
        scales = scale_channels(np.max(magnitudes, axis=0), weight.storage.bits)
        self.file.write(weight.scales, 0, scales / np.float32(weight.levels))
        feedback = self.find_feedback(weight)
        if feedback:
            return self.write_fitted_channels(weight, values, scales, feedback)

        def write_slice(part: slice) -> SliceSums:
            rows = quantize_rows(values[part], scales, self.local.scratch)
            self.file.write(weight.data, part.start * rows.data[0].nbytes, rows.data)
            return SliceSums(rows.square_error, rows.square, values[part].nbytes)

        return self.add_up(write_slice, parts)

    def write_fitted_channels(self, weight: StoredWeight, values: Floats, scales: Floats, feedback: Feedback) -> float:
        """Write `values` (K, N) with the scales (N,) of their columns and the feedback of errors."""
        assert weight.storage is not None
        data, bits = np.empty(values.shape, np.int8), weight.storage.bits

        def fit_slice(part: slice) -> SliceSums:
            rows = fit_columns(values[:, part], scales[part], bits, feedback, self.local.scratch)
            data[:, part] = rows.data
            return SliceSums(rows.square_error, rows.square, values[:, part].nbytes)

        error = self.add_up(fit_slice, cut_slices(values.shape[1], CALIBRATED))
        self.file.write(weight.data, 0, data)
        return error

    def find_feedback(self, weight: StoredWeight) -> Feedback | None:
        """Return the feedback of errors; None if weights are rounded to the nearest step."""
        return self.fit.find_feedback(weight.name, self.read)

    def add_up(self, process: Callable[[slice], SliceSums], parts: Iterable[slice]) -> float:
        """Process every slice on the pool, and return the relative error of all slices together."""
        square_error = square = 0.0
        for sums in self.pool.map(process, parts):
            square_error, square = square_error + sums.square_error, square + sums.square
            self.tick(sums.size)
        return compute_relative_error(square_error, square)


def count_vectors(length: int) -> int:
    """Return how many vectors of this length make a slice."""
    return max(STEP, SLICE // length // STEP * STEP)
