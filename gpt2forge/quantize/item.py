"""One weight on its way from the graph artifact into the package."""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.quantize.data_file import Region
from gpt2forge.quantize.scheme import Storage


@dataclass(frozen=True)
class Item:
    """Where the float32 weight lies, how it is to be stored (None: copied), and where in `model.onnx_data`.

    A linear weight is (in, out); a `table` (rows, width) is quantized along its rows, as if it were (width, rows).
    What is stored of a scale for each channel is a part of it, one of `levels`: see `rows`.
    """

    weight: ir.ExternalTensor
    storage: Storage | None
    table: bool
    data: Region
    scales: Region | None
    levels: int = 1
