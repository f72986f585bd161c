"""Tests that most of the divergence of int8 in blocks comes from the rounding of activations."""

from pathlib import Path
from shutil import copytree

import numpy as np
import onnx_ir as ir
import pytest
from tokenizers import Tokenizer

from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.measure.distributions import Reference, join, summarize_window
from gpt2forge.measure.fidelity import measure_fidelity
from gpt2forge.runtime.decoder import Decoder, open_decoder
from tests.workshop import ROOT, Workshop

pytestmark = pytest.mark.slow

WINDOWS, LENGTH = 24, 256
FLOAT_ARITHMETIC = 1  # accuracy_level: the weights become float32, and the activations stay float32


@pytest.fixture(scope="module")
def reference(workshop: Workshop) -> Reference:
    """Return the float32 reference of the beginning of the held-out text."""
    folder = workshop.build("nano-cpu-fp32")
    decoder, random = open_decoder(folder), np.random.default_rng(0)
    text = (ROOT / "examples/nano/heldout.txt").read_text()
    tokens = np.array(Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids)
    windows = np.split(tokens[: WINDOWS * LENGTH], WINDOWS)
    return join([summarize_window(decoder.read(window[None])[0], window, random) for window in windows])


def measure_divergence(decoder: Decoder, reference: Reference) -> float:
    return float(measure_fidelity(decoder, reference, lambda *far: None)["kl_mean"])


def keep_activations(package: Path, out: Path) -> Decoder:
    """Copy a package, and make its products take float32 activations."""
    copytree(package, out)
    model = read_graph(out)
    for node in model.graph:
        if node.op_type == "MatMulNBits":
            node.attributes["accuracy_level"] = ir.AttrInt64("accuracy_level", FLOAT_ARITHMETIC)
    write_graph(model, out)
    return open_decoder(out)


def test_float_activations_leave_less_than_half_of_the_divergence(
    workshop: Workshop, reference: Reference, tmp_path: Path
) -> None:
    package = workshop.build("nano-cpu-int8")
    whole = measure_divergence(open_decoder(package), reference)
    weights = measure_divergence(keep_activations(package, tmp_path / "kept"), reference)
    assert 0 < weights < whole / 2
