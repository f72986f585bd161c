"""Describes one weight on its way from the graph artifact into the package."""

from dataclasses import dataclass

import onnx_ir as ir

from gpt2forge.quantize.data_file import Region
from gpt2forge.quantize.scheme import Storage


@dataclass(frozen=True, kw_only=True)
class StoredWeight:
    """The float32 `source` of a weight, its storage (None: copied), and its regions in `model.onnx_data`.

    The source of a linear layer is (in, out). A `table` (rows, width) is quantized along its rows, as if it were
    (width, rows). The stored scales of channels are divided by `levels`: see `activations`.
    """

    source: ir.ExternalTensor
    storage: Storage | None
    data: Region
    scales: Region | None = None
    table: bool = False
    levels: int = 1

    @property
    def name(self) -> str:
        return self.source.name or ""
