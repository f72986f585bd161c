"""Tests of the pass `attention`: its nodes and its errors."""

from math import sqrt
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.edit import GraphError
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.passes.fuse_attention import fuse_attention
from gpt2forge.graph.passes.fusion import fuse
from gpt2forge.graph.validate import annotate_shapes, check_graph
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_graph
from tests.graph.models import Shape, Tiny, distance, make_tiny, refuse


def test_node_is_fed_the_packed_rows_and_the_lengths(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse_attention(model)
    node = model.graph.node("h.1.attn.core")
    assert (node.domain, node.op_type) == ("com.microsoft", "GroupQueryAttention")
    assert [value.name if value else None for value in node.inputs] == [
        *("h.1.attn.c_attn.bias_add", None, None, "past_key_values.1.key", "past_key_values.1.value"),
        *("mask.last_of_each", "mask.total", None, None, None, "mask.bias", "attn.no_sink"),
    ]
    assert [value.name for value in node.outputs] == ["h.1.attn.core", "present.1.key", "present.1.value"]
    assert {name: attribute.value for name, attribute in node.attributes.items()} == {
        "num_heads": 3,
        "kv_num_heads": 3,
        "scale": pytest.approx(1 / sqrt(8)),
    }


def test_causal_part_of_the_mask_goes(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["attention"])
    assert [node.name for node in model.graph if str(node.name).startswith("mask.")] == [
        *("mask.absent", "mask.absent_keys", "mask.padding", "mask.new_shape", "mask.total_shape", "mask.total_length"),
        *("mask.bias_shape", "mask.bias", "mask.total", "mask.last", "mask.batch_shape", "mask.last_of_each"),
    ]


def test_another_scale_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    for name in ("h.0.attn.core.scale", "h.1.attn.core.scale"):
        model.graph.initializers[name].const_value = ir.Tensor(np.array(0.9, np.float32), name=name)
    logits = []
    for passes in ([], ["attention"]):
        fuse(model, passes)
        write_graph(model, tmp_path)
        session = open_graph(tmp_path, tiny.weights, threads=1)
        logits.append(run(session, make_feeds(tiny.ids(2, 7), read_cache_shape(session).empty(2)))[0])
    assert distance(logits[1], logits[0]) < 1e-5
    assert (
        distance(logits[1], run(tiny.open(), make_feeds(tiny.ids(2, 7), read_cache_shape(session).empty(2)))[0]) > 0.01
    )


@pytest.mark.parametrize("width", [1, 4, 5, 12, 17])
def test_width_that_the_operator_refuses_is_an_error(tmp_path: Path, width: int) -> None:
    model = read_graph(make_tiny(tmp_path, Shape(head_width=width)).graph)
    with pytest.raises(UserError) as error:
        fuse(model, ["attention"])
    assert str(error.value) == (
        f"`h.0.attn.core`: this model's heads are {width} wide, but GroupQueryAttention takes only multiples of 8; "
        "set `fusion.attention: false`"
    )


def test_several_tokens_on_top_of_a_past_are_refused_for_a_batch(tiny: Tiny, tmp_path: Path) -> None:
    session = tiny.fuse(tmp_path, ["attention"])
    _, past = run(session, make_feeds(tiny.ids(2, 4), read_cache_shape(session).empty(2)))
    with pytest.raises(Exception, match="batch_size must be 1 when sequence_length > 1 and past context is given"):
        run(session, make_feeds(tiny.ids(2, 3), past))


def test_other_passes_take_any_width(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(head_width=5))
    session, reference = tiny.fuse(tmp_path / "fused", ["skip_layer_norm", "gelu", "bias"]), tiny.open()
    feeds = make_feeds(tiny.ids(2, 7), read_cache_shape(session).empty(2))
    assert distance(run(session, feeds)[0], run(reference, feeds)[0]) < 1e-5


def test_value_used_elsewhere_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    shares = model.graph.node("h.1.attn.core.shares").outputs[0]
    model.graph.node("ln_f").append(
        ir.Node("", "Identity", [shares], name="attentions", outputs=[ir.Value(name="attentions")])
    )
    assert refuse(fuse_attention, model) == "`h.1.attn.core.shares` cannot be removed: it is used by attentions"


def test_value_that_is_an_output_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.outputs.append(model.graph.node("h.0.attn.core.scores").outputs[0])
    assert (
        refuse(fuse_attention, model) == "`h.0.attn.core.scores` cannot be removed: it is used by the graph's outputs"
    )


def test_unexpected_operator_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.attn.core.shares").op_type = "LogSoftmax"
    assert refuse(fuse_attention, model) == (
        "`h.1.attn.core.shares` is `LogSoftmax(h.1.attn.core.masked) [axis=-1] -> h.1.attn.core.shares`, "
        "expected `Softmax(h.1.attn.core.masked) [axis=-1] -> h.1.attn.core.shares`"
    )


def test_another_mask_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("mask.later").op_type = "Less"  # hides earlier tokens instead of later ones
    with pytest.raises(GraphError, match=r"`mask\.later` is `Less\(.*\) \[\] -> mask\.later`, expected `Greater\("):
        fuse_attention(model)


def test_another_constant_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    shape = ir.Tensor(np.array([0, 0, 8, 3]), name="attn.heads_shape")
    model.graph.initializers["attn.heads_shape"].const_value = shape
    assert refuse(fuse_attention, model) == (
        "`h.0.attn.core.query_heads` reads the constant `attn.heads_shape`, which is [0 0 8 3], expected [0 0 3 8]"
    )


def test_graph_is_valid_without_the_driver(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    annotate_shapes(model)
    fuse_attention(model)
    check_graph(model)
