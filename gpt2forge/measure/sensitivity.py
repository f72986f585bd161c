"""Measures how far a model moves when a single weight is quantized and all others stay float32."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpt2forge.graph.model_file import read_graph
from gpt2forge.measure.distributions import Reference
from gpt2forge.measure.divergence import check_finite, compare_window, join
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.forms import Form, store_one
from gpt2forge.quantize.quantize_model import quantize_model
from gpt2forge.runtime.decoder import Decoder, open_decoder

FLOAT_BITS = 32


@dataclass(frozen=True)
class FloatModel:
    """A model in float32: its graph, the folder of its weights, and the fit of weights to a calibration text."""

    graph: Path
    weights: Path
    fit: Fit


@dataclass(frozen=True)
class Sensitivity:
    """The effect of one weight in one form.

    `kl` is the mean divergence from the reference in nats a token, `loss` the mean increase of -log p of the text in
    nats a token; `bytes` are those of the stored weight, scales included, and `weights` is how many numbers it has.
    """

    kl: float
    loss: float
    bytes: int
    weights: int


def measure_sensitivity(
    model: FloatModel, weight: str, form: Form, *, channel_bits: int, reference: Reference, space: Path
) -> Sensitivity:
    """Quantize one weight and compare the predictions with the reference. `space` has room for a package.

    Raises UserError if the weight cannot be quantized.
    """
    scheme = store_one(weight, form.make_storage(channel_bits))
    with tempfile.TemporaryDirectory(dir=space) as folder:
        place = Path(folder)
        graph = read_graph(model.graph)
        rows = quantize_model(graph, model.weights, scheme, place, lambda done, total, unit: None, model.fit)
        kl, loss = compare(open_decoder(place), reference)
    stored = [row for row in rows if row.bits < FLOAT_BITS]
    return Sensitivity(kl, loss, bytes=sum(row.bytes for row in stored), weights=sum(row.weights for row in stored))


def compare(decoder: Decoder, reference: Reference) -> tuple[float, float]:
    """Return the mean divergence, and the mean increase of -log p of the text, in nats a token."""
    found = []
    for row in reference.rows():
        logits = decoder.read(row.tokens[None].astype(np.int64))[0]  # (L, V)
        check_finite(logits)
        found.append(compare_window(logits, row))
    whole = join(found)
    return float(whole.kl.mean()), float((whole.targets_reference - whole.targets).mean())
