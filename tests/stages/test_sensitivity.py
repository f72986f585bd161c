"""The sensitivity of single weights of a tiny model."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.measure.distributions import Reference, join, summarize_window
from gpt2forge.measure.sensitivity import FloatModel, Sensitivity, measure_sensitivity
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.forms import FORMS, TOKENS
from tests.graph.models import Tiny, torch_logits


@pytest.fixture(scope="module")
def reference(tiny: Tiny) -> Reference:
    windows = tiny.ids(4, 40)
    random = np.random.default_rng(0)
    logits = torch_logits(tiny.model, windows)
    return join([summarize_window(each, window.tolist(), random) for each, window in zip(logits, windows, strict=True)])


def measure(tiny: Tiny, reference: Reference, folder: Path, weight: str, form: str) -> Sensitivity:
    model = FloatModel(tiny.graph, tiny.weights, Fit())
    return measure_sensitivity(model, weight, FORMS[form], channel_bits=7, reference=reference, space=folder)


def test_fewer_bits_move_the_model_further(tiny: Tiny, reference: Reference, tmp_path: Path) -> None:
    eight, four = (measure(tiny, reference, tmp_path, "h.0.mlp.c_fc", form) for form in ("8x32", "4x32"))
    assert 0 < eight.kl < four.kl / 5
    assert eight.weights == four.weights == 24 * 52
    assert eight.bytes == 52 * 32 + 4 * 52  # 24 rows fill one block of 32, whose scale has 4 bytes
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("weight", "form"), [(TOKENS, "8x32"), ("wpe", "float16"), ("h.1.attn.c_attn", "8xchannel")])
def test_every_kind_of_weight_is_measured_alone(
    tiny: Tiny, reference: Reference, tmp_path: Path, weight: str, form: str
) -> None:
    found = measure(tiny, reference, tmp_path, weight, form)
    assert 0 < found.kl < 0.1
    assert found.bytes < 4 * found.weights
