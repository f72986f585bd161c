"""Tests that the unfused graph computes what transformers does, and of its nodes, names and weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.safetensors import read_header
from gpt2forge.errors import UserError
from gpt2forge.graph.gpt2 import build_graph
from gpt2forge.graph.model_file import read_graph, write_graph
from gpt2forge.graph.validate import check_graph
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import make_options
from tests.graph.models import Shape, Tiny, distance, make_tiny, pad_left, torch_logits

SHAPES = {
    "plain": Shape(),
    "odd head width": Shape(heads=3, head_width=5),
    "one head": Shape(heads=1, head_width=17, layers=1),
    "narrow mlp": Shape(inner=7),
    "untied": Shape(tied=False, vocabulary=53),
    "wide": Shape(heads=2, head_width=64, vocabulary=257, layers=3),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_logits_are_those_of_transformers(tmp_path: Path, shape: Shape) -> None:
    tiny = make_tiny(tmp_path, shape)
    session = tiny.open()
    ids = tiny.ids(2, 13)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(2)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 1e-4


def test_one_pass_equals_token_by_token(tiny: Tiny) -> None:
    session = tiny.open()
    ids, past, steps = tiny.ids(2, 9), read_cache_shape(session).empty(2), []
    for position in range(ids.shape[1]):
        logits, past = run(session, make_feeds(ids[:, position : position + 1], past))
        steps.append(logits)
    assert distance(np.concatenate(steps, axis=1), torch_logits(tiny.model, ids)) < 1e-4


def test_several_tokens_on_top_of_a_past_of_a_batch_are_those_of_one_pass(tiny: Tiny) -> None:
    session = tiny.open()
    ids = tiny.ids(2, 9)
    first, past = run(session, make_feeds(ids[:, :4], read_cache_shape(session).empty(2)))
    second, _ = run(session, make_feeds(ids[:, 4:], past))
    assert distance(np.concatenate([first, second], axis=1), torch_logits(tiny.model, ids)) < 1e-4


def test_left_padded_rows_equal_each_row_alone(tiny: Tiny) -> None:
    session = tiny.open()
    rows = [tiny.ids(length, seed=length) for length in (3, 8, 1)]
    ids, mask = pad_left(rows)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(3), mask))
    assert np.isfinite(logits).all()
    for row, found in zip(rows, logits, strict=True):
        assert distance(found[-len(row) :], torch_logits(tiny.model, row[None])[0]) < 1e-4


def test_positions_are_those_that_are_fed(tiny: Tiny) -> None:
    session = tiny.open()
    feeds = make_feeds(tiny.ids(1, 5), read_cache_shape(session).empty(1))
    shifted = feeds | {"position_ids": feeds["position_ids"] + 3}
    assert distance(run(session, shifted)[0], run(session, feeds)[0]) > 1e-2


@pytest.mark.parametrize("keep", [1, 3, 7, 99])
def test_logits_to_keep_gives_the_last_positions(tiny: Tiny, keep: int) -> None:
    session = tiny.open()
    feeds = make_feeds(tiny.ids(2, 7), read_cache_shape(session).empty(2))
    every, _ = run(session, feeds)
    kept, _ = run(session, feeds | {"logits_to_keep": np.array([keep])})
    assert distance(kept, every[:, -keep:]) < 1e-6


def test_logits_to_keep_need_not_be_fed(tiny: Tiny) -> None:
    session = tiny.open()
    feeds = make_feeds(tiny.ids(2, 7), read_cache_shape(session).empty(2))
    del feeds["logits_to_keep"]
    assert run(session, feeds)[0].shape == (2, 7, 101)


def test_graph_is_standard_onnx_with_names_to_go_by(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    check_graph(model)
    assert {node.domain for node in model.graph} == {""}
    names = [node.name for node in model.graph]
    assert len(set(names)) == len(names)
    inner = ("core", "act")
    assert [
        name for name in names if not any(f".{part}." in str(name) for part in inner) and "mask" not in str(name)
    ] == [
        *("wte", "wpe", "embed"),
        *(f"h.0.{name}" for name in LAYER),
        *(f"h.1.{name}" for name in LAYER[:3]),
        *("logits_to_keep.start", "logits_to_keep.residual", "logits_to_keep.mixed"),
        *(f"h.1.{name}" for name in LAYER[3:]),
        *("ln_f", "lm_head.flatten", "lm_head"),
        *("lm_head.leading", "lm_head.shape", "lm_head.unflatten"),
    ]


LAYER = (
    *("ln_1", "attn.c_attn", "attn.c_attn.bias_add", "attn.c_proj", "attn.c_proj.bias_add", "attn.residual"),
    *("ln_2", "mlp.c_fc", "mlp.c_fc.bias_add", "mlp.c_proj", "mlp.c_proj.bias_add", "mlp.residual"),
)


def test_values_are_named_like_their_nodes(tiny: Tiny) -> None:
    for node in read_graph(tiny.graph).graph:
        outputs = [value.name for value in node.outputs if not value.is_graph_output()]
        if node.op_type == "Split":
            assert outputs == [f"{str(node.name)[:-6]}.{part}_rows" for part in ("query", "key", "value")]
        else:
            assert outputs in ([node.name], [])


def test_every_weight_is_referred_to_where_it_lies(tiny: Tiny) -> None:
    header = read_header(tiny.weights / "model.safetensors")
    proto = onnx.load(tiny.graph / "model.onnx", load_external_data=False)
    external = [each for each in proto.graph.initializer if each.data_location == onnx.TensorProto.EXTERNAL]
    found = {
        f"transformer.{tensor.name}": {entry.key: entry.value for entry in tensor.external_data} for tensor in external
    }
    assert found == {
        name: {"location": "model.safetensors", "offset": str(tensor.offset), "length": str(tensor.nbytes)}
        for name, tensor in header.items()
    }
    assert sum(len(each.raw_data) for each in proto.graph.initializer) < 1000


@pytest.mark.parametrize(("tied", "table"), [(True, "wte.weight"), (False, "lm_head.weight")])
def test_head_uses_the_table_as_it_is_stored(tmp_path: Path, tied: bool, table: str) -> None:
    graph = read_graph(make_tiny(tmp_path, Shape(tied=tied)).graph).graph
    assert [value.name for value in graph.node("lm_head").inputs if value] == ["lm_head.flatten", table]
    assert graph.node("lm_head").attributes.get_int("transB") == 1
    assert [value.name for value in graph.node("wte").inputs if value] == ["wte.weight", "input_ids"]


@pytest.mark.parametrize("passes", [(), ("attention", "skip_layer_norm", "gelu", "bias")], ids=["plain", "fused"])
def test_onnxruntime_holds_the_tied_table_once(tiny: Tiny, tmp_path: Path, passes: tuple[str, ...]) -> None:
    tiny.fuse(tmp_path, passes)
    options = make_options(1)
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(tiny.weights))
    ort.InferenceSession((tmp_path / "model.onnx").read_bytes(), options)
    proto = onnx.load(tmp_path / "optimized.onnx", load_external_data=False)
    table = tiny.shape.vocabulary * tiny.shape.heads * tiny.shape.head_width
    assert [each.name for each in proto.graph.initializer if np.prod(each.dims) == table] == ["wte.weight"]


def test_same_model_gives_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    write_graph(build_graph(read_config(tiny.weights), read_header(tiny.weights / "model.safetensors")), tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == (tiny.graph / "model.onnx").read_bytes()


def test_missing_tensor_is_named(tiny: Tiny) -> None:
    tensors = read_header(tiny.weights / "model.safetensors")
    del tensors["transformer.h.1.ln_2.bias"]
    with pytest.raises(UserError) as error:
        build_graph(read_config(tiny.weights), tensors)
    assert str(error.value) == (
        "model.safetensors: tensor `transformer.h.1.ln_2.bias` is missing; is this a whole GPT-2?"
    )


def test_tensor_of_another_shape_is_named(tiny: Tiny) -> None:
    config = replace(read_config(tiny.weights), n_inner=50)
    with pytest.raises(UserError) as error:
        build_graph(config, read_header(tiny.weights / "model.safetensors"))
    assert str(error.value) == (
        "model.safetensors: tensor `transformer.h.0.mlp.c_fc.weight` is [24, 52] of F32; "
        "config.json asks for [24, 50] of F32"
    )


def test_tensor_of_another_type_is_named(tiny: Tiny) -> None:
    tensors = read_header(tiny.weights / "model.safetensors")
    table = tensors["transformer.wte.weight"]
    tensors["transformer.wte.weight"] = replace(table, dtype="F16", nbytes=table.nbytes // 2)
    with pytest.raises(UserError) as error:
        build_graph(read_config(tiny.weights), tensors)
    assert str(error.value) == (
        "model.safetensors: tensor `transformer.wte.weight` is [101, 24] of F16; config.json asks for [101, 24] of F32"
    )
