"""Tests of the pass `skip_layer_norm`: its nodes and its errors."""

from pathlib import Path

import onnx_ir as ir
import pytest

from gpt2forge.graph.edit import GraphError
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes.fuse_skip_layer_norm import fuse_skip_layer_norm, list_residuals
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape
from gpt2forge.runtime.session import open_graph
from tests.graph.models import Tiny, distance, refuse


def test_every_sum_and_norm_from_embedding_to_end_is_listed() -> None:
    assert [(residual.sum, residual.norm) for residual in list_residuals(2)] == [
        ("embed", "h.0.ln_1"),
        ("h.0.attn.residual", "h.0.ln_2"),
        ("h.0.mlp.residual", "h.1.ln_1"),
        ("h.1.attn.residual", "h.1.ln_2"),
        ("h.1.mlp.residual", "ln_f"),
    ]


def test_fourth_output_is_the_sum_where_it_is_used(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse_skip_layer_norm(model)
    outputs = {
        node.name: [value.name for value in node.outputs] for node in model.graph if node.domain == "com.microsoft"
    }
    assert outputs == {
        "h.0.ln_1": ["h.0.ln_1", "", "", "embed"],
        "h.0.ln_2": ["h.0.ln_2", "", "", "h.0.attn.residual"],
        "h.1.ln_1": ["h.1.ln_1", "", "", "h.0.mlp.residual"],
        "h.1.ln_2": ["h.1.ln_2", "", "", "h.1.attn.residual"],
        "ln_f": ["ln_f"],
    }
    node = model.graph.node("h.1.ln_1")
    assert [value.name for value in node.inputs if value] == [
        *("h.0.attn.residual", "h.0.mlp.c_proj.bias_add", "h.1.ln_1.weight", "h.1.ln_1.bias")
    ]


def test_epsilon_is_kept(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.ln_2").attributes.add(ir.AttrFloat32("epsilon", 0.125))
    fuse_skip_layer_norm(model)
    assert model.graph.node("h.1.ln_2").attributes.get_float("epsilon") == 0.125


def test_sum_that_is_an_output_stays_one(tiny: Tiny, tmp_path: Path) -> None:
    found = []
    for passes in ([], ["skip_layer_norm", "gelu", "bias"]):
        model = read_graph(tiny.graph)
        last = model.graph.node("h.1.mlp.residual").outputs[0]
        last.type, last.shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape(("batch_size", "sequence_length", 24))
        model.graph.outputs.append(last)
        fuse(model, passes)
        write_graph(model, tmp_path)
        session = open_graph(tmp_path, tiny.weights, threads=1)
        feeds = make_feeds(tiny.ids(1, 5), read_cache_shape(session).empty(1))
        found.append(session.run(["h.1.mlp.residual"], feeds)[0])
    assert distance(found[1], found[0]) < 1e-5


def test_another_axis_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.ln_2").attributes.add(ir.AttrInt64("axis", 1))
    with pytest.raises(GraphError, match=r"`h\.1\.ln_2` is `LayerNormalization\(.*\) \[axis=1, epsilon=.*, expected "):
        fuse_skip_layer_norm(model)


def test_norm_of_something_else_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.ln_2").replace_input_with(0, model.graph.node("embed").outputs[0])
    with pytest.raises(GraphError, match=r"`h\.1\.ln_2` is `LayerNormalization\(embed, "):
        fuse_skip_layer_norm(model)


def test_missing_norm_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("ln_f").name = "norm"
    assert refuse(fuse_skip_layer_norm, model) == "`ln_f` is missing, expected the norm of `h.1.mlp.residual`"
