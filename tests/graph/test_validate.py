"""Tests that graphs which are not valid ONNX are refused."""

import onnx_ir as ir
import pytest

from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.graph.validate import annotate_shapes, check_graph
from tests.graph.models import Tiny


def test_shapes_that_do_not_agree_are_refused(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    product = model.graph.node("h.1.mlp.c_proj")
    product.replace_input_with(1, model.graph.initializers["h.1.mlp.c_fc.weight"])
    with pytest.raises(ValueError, match=r"the graph is not valid ONNX: .*h\.1\.mlp\.c_proj"):
        check_graph(model)


def test_shapes_that_do_not_agree_behind_a_fused_operator_are_refused(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    annotate_shapes(model)
    fuse(model, list(PASSES))
    check_graph(model)
    model.graph.node("h.1.mlp.c_proj").replace_input_with(1, model.graph.initializers["h.1.mlp.c_fc.weight"])
    with pytest.raises(ValueError, match=r"the graph is not valid ONNX: .*h\.1\.mlp\.c_proj"):
        check_graph(model)


def test_fused_operators_take_over_the_shapes_of_what_they_replace(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    annotate_shapes(model)
    shapes = {value.name: value.shape for node in model.graph for value in node.outputs}
    assert str(shapes["h.0.attn.core.scores"]) == "[batch_size,3,sequence_length,total_sequence_length]"
    fuse(model, list(PASSES))
    fused = [value for node in model.graph if node.domain for value in node.outputs if value.name]
    widths = {str(value.name): value.shape[-1] for value in fused if value.shape is not None}
    assert len(widths) == len(fused)
    assert (widths["h.1.attn.core"], widths["h.1.mlp.act"], widths["h.1.attn.residual"]) == (24, 52, 24)


def test_an_attribute_that_no_schema_knows_is_refused(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("embed").attributes.add(ir.AttrInt64("axis", 1))
    with pytest.raises(ValueError, match=r"the graph is not valid ONNX: Unrecognized attribute: axis for operator Add"):
        check_graph(model)
