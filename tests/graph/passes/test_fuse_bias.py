"""Tests of the pass `bias`: the biases that it moves, and its errors."""

from pathlib import Path

import pytest

from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes.fuse_bias import fuse_bias
from gpt2forge.graph.passes.fusion import fuse
from tests.graph.models import Shape, Tiny, make_tiny, refuse

STAYING = {
    (): ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"],
    ("gelu",): ["attn.c_attn", "attn.c_proj", "mlp.c_proj"],
    ("skip_layer_norm",): ["attn.c_attn", "mlp.c_fc"],
    ("skip_layer_norm", "gelu"): ["attn.c_attn"],
}


@pytest.mark.parametrize("others", STAYING, ids=lambda others: "+".join(others) or "none")
def test_biases_move_where_an_operator_takes_them(tiny: Tiny, others: tuple[str, ...]) -> None:
    model = read_graph(tiny.graph)
    fuse(model, [*others, "bias"])
    staying = [node.name for node in model.graph if str(node.name).endswith(".bias_add")]
    assert staying == [f"h.{layer}.{linear}.bias_add" for layer in (0, 1) for linear in STAYING[others]]


def test_operator_takes_the_product_and_the_bias(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["skip_layer_norm", "gelu", "bias"])
    inputs = {str(node.name): [value.name for value in node.inputs if value] for node in model.graph}
    assert inputs["h.1.mlp.act"] == ["h.1.mlp.c_fc", "h.1.mlp.c_fc.bias"]
    assert inputs["h.1.ln_2"] == [
        *("logits_to_keep.residual", "h.1.attn.c_proj", "h.1.ln_2.weight", "h.1.ln_2.bias", "h.1.attn.c_proj.bias")
    ]
    assert inputs["ln_f"] == ["h.1.attn.residual", "h.1.mlp.c_proj", "ln_f.weight", "ln_f.bias", "h.1.mlp.c_proj.bias"]
    assert inputs["h.0.ln_1"] == ["wte", "wpe", "h.0.ln_1.weight", "h.0.ln_1.bias"]


@pytest.mark.parametrize(("activation", "operator"), [("gelu_new", "FastGelu"), ("gelu", "BiasGelu")])
def test_either_gelu_takes_a_bias(tmp_path: Path, activation: str, operator: str) -> None:
    model = read_graph(make_tiny(tmp_path, Shape(activation=activation)).graph)
    fuse(model, ["gelu", "bias"])
    fuse(model, ["gelu", "bias"])  # a second time changes nothing
    node = model.graph.node("h.1.mlp.act")
    assert (node.domain, node.op_type) == ("com.microsoft", operator)
    assert [value.name for value in node.inputs if value] == ["h.1.mlp.c_fc", "h.1.mlp.c_fc.bias"]


def test_sum_used_elsewhere_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["gelu"])
    model.graph.outputs.append(model.graph.node("h.1.mlp.c_fc.bias_add").outputs[0])
    assert refuse(fuse_bias, model) == "`h.1.mlp.c_fc.bias_add` cannot be removed: it is used by the graph's outputs"


def test_unexpected_operator_is_an_error(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["gelu"])
    model.graph.node("h.1.mlp.c_fc.bias_add").op_type = "Sub"
    assert refuse(fuse_bias, model) == (
        "`h.1.mlp.c_fc.bias_add` is `Sub(h.1.mlp.c_fc, h.1.mlp.c_fc.bias) [] -> h.1.mlp.c_fc.bias_add`, "
        "expected `Add(h.1.mlp.c_fc, h.1.mlp.c_fc.bias) [] -> h.1.mlp.c_fc.bias_add`"
    )
