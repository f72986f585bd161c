"""The statistics that calibrate keeps are those of PyTorch's own model, run as a whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import DynamicCache
from transformers.pytorch_utils import Conv1D

from gpt2forge.pytorch.calibration import STRIP, InputSums, write_statistics
from gpt2forge.quantize.gptq import unpack_triangle
from gpt2forge.quantize.statistics import open_statistics
from tests.graph.models import Shape, Tiny, make_tiny

SHAPES = {
    "plain": Shape(),
    "varied": Shape(inner=40, activation="relu", scaled_by_layer=True, upcast=True, tied=False, layers=3),
}


@pytest.fixture(scope="module", params=SHAPES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), SHAPES[request.param])


def collect(tiny: Tiny, windows: list[list[int]], out: Path) -> dict[str, Any]:
    out.mkdir()
    write_statistics(tiny.weights, windows, out, lambda done, total, unit: None)
    return open_statistics(out)


def watch(tiny: Tiny, windows: list[list[int]]) -> tuple[dict[str, torch.Tensor], list[DynamicCache]]:
    """Return the inputs (N, K) of every linear layer, and the caches of all windows."""
    seen: dict[str, list[torch.Tensor]] = {}
    modules = {name.removeprefix("transformer."): module for name, module in tiny.model.named_modules()}
    handles = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: seen.setdefault(name, []).append(inputs[0][0]))
        for name, module in modules.items()
        if isinstance(module, Conv1D)
    ]
    with torch.no_grad():
        caches = [tiny.model(torch.tensor([window]), use_cache=True).past_key_values for window in windows]
    for handle in handles:
        handle.remove()
    return {name: torch.cat(parts) for name, parts in seen.items()}, caches


def test_statistics_are_of_the_inputs_of_every_linear_layer(tiny: Tiny, tmp_path: Path) -> None:
    windows = [tiny.ids(40).tolist(), tiny.ids(17, seed=1).tolist()]
    found = collect(tiny, windows, tmp_path / "out")
    inputs, caches = watch(tiny, windows)
    assert len(inputs) == 4 * tiny.shape.layers
    for name, x in inputs.items():
        rows = x.double().numpy()
        np.testing.assert_allclose(
            unpack_triangle(found[f"{name}.hessian"]), rows.T @ rows / len(rows), rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(found[f"{name}.mean"], rows.mean(axis=0), rtol=1e-4, atol=1e-5)
    for number in range(tiny.shape.layers):
        for part in ("keys", "values"):
            held = torch.cat([getattr(cache.layers[number], part)[0] for cache in caches], dim=1)  # (H, T, D)
            stored = found[f"h.{number}.attn.{part[:-1]}.largest"]
            np.testing.assert_allclose(stored, held.abs().amax(dim=1).numpy(), rtol=1e-5)
    assert len(found) == len(inputs) * 2 + tiny.shape.layers * 2


def test_all_windows_count_alike_by_their_tokens(tiny: Tiny, tmp_path: Path) -> None:
    window = tiny.ids(20).tolist()
    once, twice = collect(tiny, [window], tmp_path / "once"), collect(tiny, [window] * 2, tmp_path / "twice")
    for name, values in once.items():
        np.testing.assert_allclose(twice[name], values, rtol=1e-4, atol=1e-5)


def test_sums_of_a_layer_wider_than_a_strip() -> None:
    parts = [torch.randn(2, rows, 2 * STRIP + 40, generator=torch.Generator().manual_seed(rows)) for rows in (3, 50)]
    sums = InputSums(2 * STRIP + 40)
    for part in parts:
        sums.add(part)
    rows = torch.cat([part.flatten(0, 1) for part in parts]).double().numpy()
    np.testing.assert_allclose(unpack_triangle(sums.hessian.numpy()), rows.T @ rows / len(rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(sums.total / sums.tokens, rows.mean(axis=0), rtol=1e-4, atol=1e-5)
