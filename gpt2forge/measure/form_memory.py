"""Measures the memory that a session holds for each weight of a form.

A session maps the file of a package, and keeps the weights once more in anonymous memory, packed for this processor.
How much that is follows from the kernels. For blocks, they keep a sum beside each scale. So weights of 4 bits in blocks
of 16 hold 1.07 bytes each and take 0.75 in the file; 8 bits in blocks of 128 hold 1.08 and take 1.03.
"""

import tempfile
from pathlib import Path

import onnx_ir as ir

from gpt2forge.checked_import import make_command
from gpt2forge.graph.model_file import GRAPH_FILE
from gpt2forge.measure import session_holder
from gpt2forge.measure.child import Child
from gpt2forge.measure.products import Products, make_products
from gpt2forge.quantize.blocks import count_blocks
from gpt2forge.quantize.data_file import DATA_FILE
from gpt2forge.quantize.forms import Form

LENGTH, COLUMNS, COUNT = 1024, 4096, 4  # 17 million weights, beside which the rest of a session is little
FEW = 16  # columns of the model that is opened first, so that the memory of the libraries does not count


def measure_in(space: Path, form: Form | None) -> float:
    """Return the anonymous bytes of a weight; no `form` means float32. The folder `space` needs room for 70 MB."""
    with tempfile.TemporaryDirectory(dir=space) as scratch:
        folders = [write_model(Products(LENGTH, columns, form, COUNT), Path(scratch)) for columns in (FEW, COLUMNS)]
        with Child(make_command(session_holder.__name__)) as child:
            before, after = (child.ask({"folder": str(folder)}) for folder in folders)
    return float(max(0, after - before) / (LENGTH * (COLUMNS - FEW) * COUNT))


def write_model(products: Products, scratch: Path) -> Path:
    """Write a model with its weights in a file beside it, as a package has them; return its folder."""
    folder = scratch / f"{products.columns}"
    folder.mkdir()
    ir.save(make_products(products), folder / GRAPH_FILE, external_data=DATA_FILE)
    return folder


def count_stored(shape: tuple[int, int], form: Form | None) -> int:
    """Return how many numbers a weight (in, out) is stored as: the last block of a column is padded."""
    length, columns = shape
    if form is not None and isinstance(form.granularity, int):
        length = form.granularity * count_blocks(length, form.granularity)
    return length * columns
