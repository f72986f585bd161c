"""Opens a graph in ONNX Runtime: a graph artifact beside its weights, or a built package."""

from pathlib import Path

import onnxruntime as ort

from gpt2forge.graph.files import GRAPH_FILE
from gpt2forge.graph.saturation import saturates

QUIET = 3  # errors only
EXACT_PRODUCTS = "session.x64quantprecision"  # int8 weights become uint8


def open_graph(graph: Path, weights: Path, threads: int = 0) -> ort.InferenceSession:
    """Open `graph/model.onnx`, whose weights lie in the folder `weights`; 0 threads: one for each core.

    ONNX Runtime refuses weights outside the model's folder, unless the model comes as bytes and an option names theirs.
    """
    options = make_options(threads)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
    return ort.InferenceSession((graph / GRAPH_FILE).read_bytes(), options, providers=["CPUExecutionProvider"])


def open_package(folder: Path, threads: int = 0) -> ort.InferenceSession:
    """Open a built directory: `model.onnx`, its weights beside it; 0 threads: one for each core."""
    return ort.InferenceSession(folder / GRAPH_FILE, make_options(threads), providers=["CPUExecutionProvider"])


def make_options(threads: int) -> ort.SessionOptions:
    """Options that every session has: this many threads, no warnings, and integer products that are right."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    if saturates():
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    return options
