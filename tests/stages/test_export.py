"""The stage export on a model as convert leaves it."""

from pathlib import Path

import numpy as np
import pytest

from gpt2forge.errors import UserError
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_graph
from gpt2forge.stages.export import STAGE
from gpt2forge.stages.stage import Inputs
from tests.graph.models import Shape, distance, make_model, torch_logits

TARGET = TargetSection(device="cpu")


def test_writes_one_file_that_refers_to_the_weights(tmp_path: Path) -> None:
    weights, out = tmp_path / "weights", tmp_path / "out"
    model = make_model(weights, Shape())
    out.mkdir()
    metrics = STAGE.run(Inputs({"weights": weights}), None, TARGET, out)
    assert metrics == {"nodes": 102}
    assert [path.name for path in out.iterdir()] == ["model.onnx"]

    session = open_graph(out, weights, threads=1)
    ids = np.arange(7)[None]
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(1)))
    assert distance(logits, torch_logits(model, ids)) < 1e-4


def test_tensor_that_does_not_fit_the_config_is_an_error(tmp_path: Path) -> None:
    make_model(tmp_path, Shape())
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"n_positions": 48', '"n_positions": 50'))
    with pytest.raises(UserError) as error:
        STAGE.run(Inputs({"weights": tmp_path}), None, TARGET, tmp_path)
    assert str(error.value) == (
        "model.safetensors: tensor `transformer.wpe.weight` is [48, 24] of F32; config.json asks for [50, 24] of F32"
    )
