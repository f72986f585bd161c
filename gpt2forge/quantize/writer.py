"""Reads one weight, quantizes it slice by slice on every core, and writes each slice where it belongs.

Slices depend on the shape alone, and sums are made in their order: any number of threads gives the same bytes.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir

from gpt2forge.errors import UserError
from gpt2forge.quantize.blocks import Floats, cut, sum_squares
from gpt2forge.quantize.channel import find_magnitudes, fit_columns, quantize_rows, scale_channels
from gpt2forge.quantize.coverage import Row, relate
from gpt2forge.quantize.data_file import DataFile, map_weight
from gpt2forge.quantize.embeddings import POSITIONS
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.float16 import narrow
from gpt2forge.quantize.gptq import Feedback, quantize_columns
from gpt2forge.quantize.item import Item
from gpt2forge.quantize.scratch import Scratch

SLICE = 320 * 1024  # weights of a slice: near a core's cache, and long enough that threads rarely wait for each other
CALIBRATED = 640  # columns of a slice that is rounded row by row: enough that a row's work outweighs its calls
STEP = 16  # columns of a slice come in steps, so that the pieces of a row that it reads are whole cache lines

Tick = Callable[[int], None]
"""Called with the number of source bytes that were just finished."""


class Local(threading.local):
    """The arrays of each thread."""

    def __init__(self) -> None:
        self.scratch = Scratch()


@dataclass(frozen=True)
class Sums:
    """What one slice adds: squares of the errors and of the weights, and bytes of the source."""

    square_error: float
    square: float
    size: int


@dataclass(frozen=True)
class Store:
    """Where weights come from and go to; `tick` hears of progress from one thread.

    `sources` are the weights by name, `fit` says what is to become of them before they are stored.
    """

    folder: Path
    file: DataFile
    pool: Executor
    tick: Tick
    sources: Mapping[str, ir.ExternalTensor]
    fit: Fit
    local: Local = field(default_factory=Local)

    def __call__(self, item: Item) -> Row:
        """Store one weight; raises UserError when a value that is to be quantized is not finite."""
        name = item.weight.name or ""
        values = self.fit.change(name, self.read(name), self.read)
        try:
            error = self.write(item, values)
        except ValueError as fault:
            instead = "`scheme: none`"
            if item.storage and item.storage.is_half and name == POSITIONS:
                instead = "`positions: float32`, or `scheme: none` where everything is float16"
            raise UserError(
                f"{self.folder / str(item.weight.location)}: `{name}` cannot be quantized: {fault}; "
                f"start from an earlier checkpoint, or use {instead}"
            ) from fault
        size = item.data.length + (item.scales.length if item.scales else 0)
        bits, block = (item.storage.bits, item.storage.block) if item.storage else (32, None)
        return Row(name, values.size, bits, block, size, error)

    def read(self, name: str) -> Floats:
        return map_weight(self.sources[name], self.folder)

    def write(self, item: Item, values: Floats) -> float:
        """Write a weight as its storage asks, and give its relative error."""
        if item.storage is None:
            return self.copy(item, values.reshape(-1))
        if item.storage.is_half:
            return self.write_halves(item, values)
        if item.storage.block is None:
            return self.write_channels(item, values)
        return self.write_blocks(item, values.T if item.table else values, item.storage.bits, item.storage.block)

    def copy(self, item: Item, values: Floats) -> float:
        """Write a weight as it is."""
        for part in cut(len(values), SLICE):
            self.file.write(item.data, 4 * part.start, values[part])
            self.tick(values[part].nbytes)
        return 0.0

    def write_halves(self, item: Item, values: Floats) -> float:
        """Write `values` (R, N) or (R,) as float16, some rows at a time."""
        data, values = item.data, values.reshape(len(values), -1)

        def store(part: slice) -> Sums:
            halves = narrow(values[part])
            self.file.write(data, part.start * halves[0].nbytes, halves)
            errors = halves.astype(np.float32) - values[part]
            return Sums(sum_squares(errors), sum_squares(np.array(values[part])), values[part].nbytes)

        return self.add_up(store, cut(len(values), count_vectors(values.shape[1])))

    def write_blocks(self, item: Item, columns: Floats, bits: int, block: int) -> float:
        """Write `columns` (K, N) in blocks along K, some columns at a time."""
        assert item.scales is not None
        data, scales, feedback = item.data, item.scales, self.find_feedback(item)

        def store(part: slice) -> Sums:
            blocks = quantize_columns(columns[:, part], bits, block, feedback, self.local.scratch)
            self.file.write(data, part.start * blocks.data[0].nbytes, blocks.data)
            self.file.write(scales, part.start * blocks.scales[0].nbytes, blocks.scales)
            return Sums(blocks.square_error, blocks.square, columns[:, part].nbytes)

        return self.add_up(store, cut(columns.shape[1], CALIBRATED if feedback else count_vectors(columns.shape[0])))

    def write_channels(self, item: Item, values: Floats) -> float:
        """Write `values` (K, N) with one scale for each column, some rows at a time."""
        assert item.scales is not None
        data, parts = item.data, list(cut(len(values), count_vectors(values.shape[1])))
        magnitudes = list(self.pool.map(lambda part: find_magnitudes(values[part]), parts))
        scales = scale_channels(np.max(magnitudes, axis=0))
        self.file.write(item.scales, 0, scales / np.float32(item.levels))
        feedback = self.find_feedback(item)
        if feedback:
            return self.fit_channels(item, values, scales, feedback)

        def store(part: slice) -> Sums:
            rows = quantize_rows(values[part], scales, self.local.scratch)
            self.file.write(data, part.start * rows.data[0].nbytes, rows.data)
            return Sums(rows.square_error, rows.square, values[part].nbytes)

        return self.add_up(store, parts)

    def fit_channels(self, item: Item, values: Floats, scales: Floats, feedback: Feedback) -> float:
        """The same with the feedback of errors, some columns at a time."""
        data = np.empty(values.shape, np.int8)

        def store(part: slice) -> Sums:
            rows = fit_columns(values[:, part], scales[part], feedback, self.local.scratch)
            data[:, part] = rows.data
            return Sums(rows.square_error, rows.square, values[:, part].nbytes)

        error = self.add_up(store, cut(values.shape[1], CALIBRATED))
        self.file.write(item.data, 0, data)
        return error

    def find_feedback(self, item: Item) -> Feedback | None:
        """None where weights are rounded to the nearest step."""
        return self.fit.find_feedback(item.weight.name or "", self.read)

    def add_up(self, store: Callable[[slice], Sums], parts: Iterable[slice]) -> float:
        """Run `store` over the parts, and give the relative error that they make together."""
        square_error = square = 0.0
        for sums in self.pool.map(store, parts):
            square_error, square = square_error + sums.square_error, square + sums.square
            self.tick(sums.size)
        return relate(square_error, square)


def count_vectors(length: int) -> int:
    """How many vectors of this length make a slice."""
    return max(STEP, SLICE // length // STEP * STEP)
