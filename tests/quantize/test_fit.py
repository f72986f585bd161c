"""Tests of packages that are fitted to a calibration text: their function stays, and errors cancel."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.graph.model_file import read_graph
from gpt2forge.pytorch.calibration import write_statistics
from gpt2forge.quantize.data_file import DATA_FILE, find_weights
from gpt2forge.quantize.fit import Fit
from gpt2forge.quantize.gptq import unpack_triangle
from gpt2forge.quantize.statistics import open_statistics
from tests.graph.models import Array, Shape, Tiny, distance, make_tiny, torch_logits
from tests.quantize.packages import FLOAT32, SCHEMES, logits_of, pack, read, restore


@pytest.fixture(
    scope="module", params=[Shape(), Shape(inner=40, activation="relu", tied=False)], ids=["plain", "varied"]
)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), request.param)


@pytest.fixture(scope="module")
def statistics(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Array]:
    folder = tmp_path_factory.mktemp("statistics")
    write_statistics(tiny.weights, tiny.ids(8, 48).tolist(), folder, lambda *far: None)
    return dict(open_statistics(folder))


@pytest.mark.parametrize("passes", [(), ("attention", "skip_layer_norm", "gelu", "bias")], ids=["plain", "fused"])
def test_smooth_weights_compute_the_same(
    tiny: Tiny, statistics: dict[str, Array], tmp_path: Path, passes: tuple[str, ...]
) -> None:
    pack(tiny, tmp_path / "out", FLOAT32, passes, fit=Fit(statistics, smooth=True))
    ids = tiny.ids(2, 12, seed=5)
    assert distance(logits_of(tmp_path / "out", ids), torch_logits(tiny.model, ids)) < 1e-5
    stored = find_weights(read_graph(tmp_path / "out").graph)
    state = tiny.model.state_dict()
    data = (tmp_path / "out" / DATA_FILE).read_bytes()
    for part, moved in (("ln_1.weight", True), ("mlp.c_fc.bias", True), ("mlp.c_proj.weight", False)):
        values = read(data, stored[f"h.0.{part}"])
        assert (np.abs(values - state[f"transformer.h.0.{part}"].numpy()).max() > 1e-3) == moved


def costs(tiny: Tiny, package: Path, scheme: str, statistics: dict[str, Array]) -> dict[str, float]:
    """Return the mean square error of the output of every linear layer on the calibration text, by name."""
    found = restore(tiny, package, SCHEMES[scheme]).state_dict()
    hessians = {name.removesuffix(".hessian"): each for name, each in statistics.items() if name.endswith(".hessian")}
    lost = {}
    for name, packed in hessians.items():
        key = f"transformer.{name}.weight"
        error = (found[key] - tiny.model.state_dict()[key]).double().numpy()
        lost[name] = float(np.einsum("kn,kj,jn->", error, unpack_triangle(packed).astype(float), error))
    return lost


@pytest.mark.parametrize("scheme", ["int4-32", "int8-128", "int8-channel", "int8-channel-few"])
def test_errors_of_every_layer_cancel(tiny: Tiny, statistics: dict[str, Array], tmp_path: Path, scheme: str) -> None:
    pack(tiny, tmp_path / "plain", SCHEMES[scheme])
    pack(tiny, tmp_path / "fitted", SCHEMES[scheme], fit=Fit(statistics, gptq=True))
    plain, fitted = (costs(tiny, tmp_path / name, scheme, statistics) for name in ("plain", "fitted"))
    assert len(plain) == 8
    for name, cost in plain.items():
        assert fitted[name] < cost, name
    assert sum(fitted.values()) < 0.75 * sum(plain.values())


@pytest.mark.parametrize("scheme", ["int8-128", "int8-channel", "int8-channel-few"])
def test_smooth_and_fitted_is_still_the_model(
    tiny: Tiny, statistics: dict[str, Array], tmp_path: Path, scheme: str
) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme], fit=Fit(statistics, smooth=True, gptq=True))
    ids = tiny.ids(1, 12, seed=5)
    assert distance(logits_of(tmp_path / "out", ids), torch_logits(tiny.model, ids)) < 0.03
