"""Opens a graph in ONNX Runtime: a graph artifact with its weights artifact, or a package.

x86 processors without VNNI multiply uint8 by int8 wrongly: they add two products in 16 bits, and 255 * 127 * 2 does
not fit. ONNX Runtime uses that instruction unless an option makes the weights uint8. The option is exact everywhere
but slow on processors with VNNI: a prompt of 64 tokens took 1.3 to 1.9 times as long. So the session options depend
on one trial product, which is more reliable than a list of processors. Packages whose weights per channel have 7 bits
do without the option, because their products fit.
"""

import ctypes
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.graph.builder import Builder
from gpt2forge.graph.model_file import GRAPH_FILE
from gpt2forge.processors import choose_threads

QUIET = 3  # errors only
CALM = "session.force_spinning_stop"  # the option that lets threads sleep as soon as the last run has ended
EXACT_PRODUCTS = "session.x64quantprecision"  # the option that makes int8 weights uint8
ROWS = (1, 4)  # one row and several rows use different kernels
DEPTH, COLUMNS = 64, 32
LARGEST_UINT8, LARGEST_INT8 = 255, 127
OPSET, IR_VERSION = 17, 8


def open_graph(graph: Path, weights: Path, threads: int = 0) -> ort.InferenceSession:
    """Open `graph/model.onnx`, whose weights are in the folder `weights`; 0 threads means one per core.

    ONNX Runtime refuses weights outside the model's folder. It accepts them if the model is given as bytes and an
    option names the folder of the weights.
    """
    options = make_options(threads)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
    return ort.InferenceSession((graph / GRAPH_FILE).read_bytes(), options, providers=["CPUExecutionProvider"])


def open_package(folder: Path, threads: int = 0, file: str = GRAPH_FILE) -> ort.InferenceSession:
    """Open a package: `model.onnx`, or another file, with its weights beside it; 0 threads means one per core."""
    return start_session(folder / file, make_options(threads, folder))


def start_session(model: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    """Open a model in a file, then give back to the system the memory that only opening it took.

    ONNX Runtime frees what it computes on the way, but glibc keeps it for the process: at 774M with `few_rows: blocks`,
    0.3 GB, and 0.47 GB if the weights are packed already.
    """
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):  # musl has none
        library.malloc_trim(0)
    return session


def open_profiled(folder: Path, prefix: Path, threads: int = 0) -> ort.InferenceSession:
    """Open a package in a session that times its nodes; `end_profiling` writes a file at `prefix` and a time."""
    options = make_options(threads, folder)
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    return ort.InferenceSession(folder / GRAPH_FILE, options, providers=["CPUExecutionProvider"])


def open_bytes(model: bytes, threads: int = 0, *, is_exact: bool = True) -> ort.InferenceSession:
    """Open a model that holds its weights. Without `is_exact`, integer products may saturate, as 7 bits never do."""
    options = make_common_options(threads)
    if is_exact and saturates():
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def make_options(threads: int, package: Path | None = None) -> ort.SessionOptions:
    """Return the options of a session for a model: those of every session, and exact integer products."""
    options = make_common_options(threads)
    if saturates() and (package is None or has_wide_channels(package)):
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    return options


def make_common_options(threads: int) -> ort.SessionOptions:
    """Return the options of every session: its threads, and no warnings.

    With 0 threads there is one for each core that this process may use. They wait for work without sleeping while a run
    lasts, as that is faster, but not between runs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or choose_threads()
    options.add_session_config_entry(CALM, "1")
    options.log_severity_level = QUIET
    return options


def has_wide_channels(package: Path) -> bool:
    """Return whether forge.json lists weights of 8 bits with one scale per channel, or does not say."""
    path = package / "forge.json"
    tensors = read_object(path).get("tensors") if path.is_file() else None
    if not isinstance(tensors, list):
        return True
    return any(isinstance(each, dict) and (each.get("bits"), each.get("block")) == (8, None) for each in tensors)


@cache
def saturates() -> bool:
    """Return whether MatMulInteger overflows on this processor; one trial per process takes a few milliseconds."""
    session = ort.InferenceSession(make_product(), providers=["CPUExecutionProvider"])
    products = (session.run(None, {"rows": np.full((rows, DEPTH), LARGEST_UINT8, np.uint8)})[0] for rows in ROWS)
    return any(bool((product != DEPTH * LARGEST_UINT8 * LARGEST_INT8).any()) for product in products)


def make_product() -> bytes:
    """Return a model that multiplies its uint8 input `rows` (M, DEPTH) by weights that are all the largest int8."""
    graph = Builder()
    rows = ir.Value(name="rows", type=ir.TensorType(ir.DataType.UINT8), shape=ir.Shape(("M", DEPTH)))
    weights = graph.constant("weights", np.full((DEPTH, COLUMNS), LARGEST_INT8, np.int8))
    product = graph.op("product", "MatMulInteger", [rows, weights])
    product.type, product.shape = ir.TensorType(ir.DataType.INT32), ir.Shape(("M", COLUMNS))
    initializers = list(graph.initializers.values())
    opsets = {"": OPSET}
    body = ir.Graph([rows], [product], nodes=graph.nodes, initializers=initializers, opset_imports=opsets, name="probe")
    model: bytes = ir.to_proto(ir.Model(body, ir_version=IR_VERSION)).SerializeToString()
    return model
