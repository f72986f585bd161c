"""A package whose keys and values are int8, from the statistics that calibration writes."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.measure.properties import try_properties
from gpt2forge.pytorch.calibration import write_statistics
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.feeds import read_cache_shape
from gpt2forge.stages.stage import Inputs
from tests.graph.models import Shape, Tiny, distance, make_tiny, torch_logits
from tests.runtime.texts import begin, run
from tests.stages.run_quantize import run_quantize

SCHEMES = {"none": 0.02, "int8": 0.03, "channel": 0.02}  # and how far properties may be off


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape())


def calibrate(tiny: Tiny, folder: Path) -> Path:
    """The statistics of 16 random texts."""
    folder.mkdir()
    write_statistics(tiny.weights, tiny.ids(16, 48).tolist(), folder, lambda *far: None)
    return folder


def build(tiny: Tiny, folder: Path, scheme: str) -> Path:
    """The package of the fused graph, as the stage writes it."""
    fused, out = folder / "fused", folder / "out"
    model = read_graph(tiny.graph)
    fuse(model, tuple(PASSES))
    for made in (fused, out):
        made.mkdir()
    write_graph(model, fused)
    inputs = {"weights": tiny.weights, "graph": fused, "statistics": calibrate(tiny, folder / "statistics")}
    known = {"scheme": "int8", "granularity": "channel"} if scheme == "channel" else {"scheme": scheme}
    run_quantize(Inputs(inputs), Quantization(**known, kv_cache="int8"), TargetSection(device="cpu", cpu="vnni"), out)
    return out


@pytest.mark.parametrize("scheme", SCHEMES)
def test_package_does_what_every_package_must(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    out = build(tiny, tmp_path, scheme)
    decoder = open_decoder(out, threads=1)
    assert read_cache_shape(decoder.session).dtype is np.int8
    ids = tiny.ids(1, 40)
    assert distance(decoder.read(ids), torch_logits(tiny.model, ids)) < 0.05
    for name, found in try_properties(decoder, [ids[0].tolist()], lambda *far: None).items():
        assert found is not None
        assert found.worst < (1e-6 if name == "shared_equals_copied" else SCHEMES[scheme]), name
    assert [len(tokens) for tokens in run(decoder, [begin([5, 17, 80], 45), begin([9], 20)])] == [45, 20]


def test_genai_extends_the_cache_in_place(tiny: Tiny, tmp_path: Path) -> None:
    config = json.loads((build(tiny, tmp_path, "none") / "genai_config.json").read_text())
    assert config["search"]["past_present_share_buffer"] is True
