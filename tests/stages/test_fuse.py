"""The stage fuse on a graph as export leaves it."""

import subprocess
import sys
from pathlib import Path

import onnx_ir as ir
import pytest
import yaml

from gpt2forge.graph.edit import GraphError
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.recipe.sections.fusion_section import Fusion
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_graph
from gpt2forge.stages.fuse import STAGE
from gpt2forge.stages.stage import Inputs
from tests.graph.models import Shape, Tiny, distance, make_tiny, torch_logits

BASE = Path(__file__).parents[2] / "gpt2forge/recipe/base"
TARGET = TargetSection(device="cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny"), Shape())


def test_section_has_one_key_for_each_pass() -> None:
    assert list(Fusion.model_fields) == list(PASSES)


def test_defaults_are_those_of_the_shipped_recipes() -> None:
    assert Fusion().model_dump() == yaml.safe_load((BASE / "cpu.yaml").read_text())["fusion"]


def test_passes_that_pay_by_default(tiny: Tiny, tmp_path: Path) -> None:
    metrics = STAGE.run(Inputs({"graph": tiny.graph}), Fusion(), TARGET, tmp_path)
    assert metrics["nodes"] == 50
    assert metrics["operators"]["GroupQueryAttention"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert read_graph(tmp_path).metadata_props == {"gpt2forge.passes": "attention,gelu,bias"}

    session = open_graph(tmp_path, tiny.weights, threads=1)
    ids = tiny.ids(1, 7)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(1)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 1e-4


def test_all_off_leaves_standard_operators(tiny: Tiny, tmp_path: Path) -> None:
    section = Fusion(attention=False, skip_layer_norm=False, gelu=False, bias=False)
    metrics = STAGE.run(Inputs({"graph": tiny.graph}), section, TARGET, tmp_path)
    assert metrics["nodes"] == 102
    assert {node.domain for node in read_graph(tmp_path).graph} == {""}


def test_weights_are_neither_needed_nor_read(tiny: Tiny, tmp_path: Path) -> None:
    alone = tmp_path / "graph"
    alone.mkdir()
    write_graph(read_graph(tiny.graph), alone)
    STAGE.run(Inputs({"graph": alone}), Fusion(), TARGET, tmp_path)


def test_same_graph_gives_the_same_bytes_in_another_process(tiny: Tiny, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    STAGE.run(Inputs({"graph": tiny.graph}), Fusion(), TARGET, tmp_path / "one")
    program = (
        "import sys; from pathlib import Path; from gpt2forge.stages.fuse import STAGE;"
        "from gpt2forge.recipe.sections.fusion_section import Fusion;"
        "from gpt2forge.recipe.sections.target_section import TargetSection;"
        "from gpt2forge.stages.stage import Inputs;"
        "STAGE.run(Inputs({'graph': Path(sys.argv[1])}), Fusion(), TargetSection(device='cpu'), Path(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", program, tiny.graph, tmp_path / "two"], check=True)
    assert (tmp_path / "one" / "model.onnx").read_bytes() == (tmp_path / "two" / "model.onnx").read_bytes()


def test_graph_that_is_not_valid_after_all_is_not_written(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("lm_head").attributes.add(ir.AttrInt64("transC", 1))
    broken, out = tmp_path / "broken", tmp_path / "out"
    broken.mkdir()
    out.mkdir()
    write_graph(model, broken)
    with pytest.raises(
        ValueError, match="the graph is not valid ONNX: Unrecognized attribute: transC for operator Gemm"
    ):
        STAGE.run(Inputs({"graph": broken}), Fusion(), TARGET, out)
    assert list(out.iterdir()) == []


def test_pass_that_cannot_rewrite_its_pattern_fails(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.attn.core.scaled").op_type = "Div"
    write_graph(model, tmp_path)
    with pytest.raises(
        GraphError, match=r"the pass `attention` cannot rewrite this graph: `h\.1\.attn\.core\.scaled` is"
    ):
        STAGE.run(Inputs({"graph": tmp_path}), Fusion(), TARGET, tmp_path)
