"""Tests of all combinations of passes: each computes what the unfused graph does, with the expected operators."""

from itertools import compress, product
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2forge.graph.interface import past_names, present_names
from gpt2forge.graph.model_file import PASSES_APPLIED, read_graph, write_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.graph.passes.fusion import count_operators, fuse
from gpt2forge.graph.validate import annotate_shapes, check_graph
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from tests.graph.models import Array, Shape, Tiny, distance, make_tiny, pad_left, refuse, torch_logits

OPERATORS = ("Add", "MatMul", "LayerNormalization", "SkipLayerNormalization", "GroupQueryAttention", "FastGelu", "Tanh")
# The nodes of a model of two layers, then those of each operator above. Switches: attention, skip_layer_norm, gelu, bias.
COUNTS: dict[tuple[int, ...], tuple[int, ...]] = {
    (0, 0, 0, 0): (102, 19, 12, 5, 0, 0, 0, 2),
    (0, 0, 0, 1): (102, 19, 12, 5, 0, 0, 0, 2),
    (0, 0, 1, 0): (86, 15, 12, 5, 0, 0, 2, 0),
    (0, 0, 1, 1): (84, 13, 12, 5, 0, 0, 2, 0),
    (0, 1, 0, 0): (97, 14, 12, 0, 5, 0, 0, 2),
    (0, 1, 0, 1): (93, 10, 12, 0, 5, 0, 0, 2),
    (0, 1, 1, 0): (81, 10, 12, 0, 5, 0, 2, 0),
    (0, 1, 1, 1): (75, 4, 12, 0, 5, 0, 2, 0),
    (1, 0, 0, 0): (68, 17, 8, 5, 0, 2, 0, 2),
    (1, 0, 0, 1): (68, 17, 8, 5, 0, 2, 0, 2),
    (1, 0, 1, 0): (52, 13, 8, 5, 0, 2, 2, 0),
    (1, 0, 1, 1): (50, 11, 8, 5, 0, 2, 2, 0),
    (1, 1, 0, 0): (63, 12, 8, 0, 5, 2, 0, 2),
    (1, 1, 0, 1): (59, 8, 8, 0, 5, 2, 0, 2),
    (1, 1, 1, 0): (47, 8, 8, 0, 5, 2, 2, 0),
    (1, 1, 1, 1): (41, 2, 8, 0, 5, 2, 2, 0),
}
COMBINATIONS = list(product((0, 1), repeat=4))


@pytest.fixture(scope="module")
def fused(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> ort.InferenceSession:
    return tiny.fuse(tmp_path_factory.mktemp("fused"), list(PASSES))


def select(switches: tuple[int, ...]) -> list[str]:
    return list(compress(PASSES, switches))


@pytest.mark.parametrize("switches", COMBINATIONS, ids=lambda switches: "+".join(select(switches)) or "none")
def test_fused_graph_computes_what_the_unfused_one_does(tiny: Tiny, tmp_path: Path, switches: tuple[int, ...]) -> None:
    session, reference = tiny.fuse(tmp_path, select(switches)), tiny.open()
    rows = [tiny.ids(length, seed=length) for length in (6, 2, 9)]
    ids, mask = pad_left(rows)
    pasts = [read_cache_shape(reference).empty(3)] * 2
    for _ in range(3):  # a padded prompt, then single tokens after it
        (found, pasts[0]), (expected, pasts[1]) = (
            run(each, make_feeds(ids, past, mask)) for each, past in zip((session, reference), pasts, strict=True)
        )
        assert distance(found[:, -1], expected[:, -1]) < 1e-5
        assert distance(found[mask[:, -ids.shape[1] :] == 1], expected[mask[:, -ids.shape[1] :] == 1]) < 1e-5
        for name in pasts[0]:
            visible = np.broadcast_to(mask[:, None, :, None] == 1, pasts[0][name].shape)
            assert distance(pasts[0][name][visible], pasts[1][name][visible]) < 1e-5
        ids = expected[:, -1:].argmax(-1)
        mask = np.pad(mask, ((0, 0), (0, 1)), constant_values=1)


@pytest.mark.parametrize("switches", COMBINATIONS, ids=lambda switches: "+".join(select(switches)) or "none")
def test_fused_graph_holds_the_expected_operators(tiny: Tiny, switches: tuple[int, ...]) -> None:
    model = read_graph(tiny.graph)
    annotate_shapes(model)
    fuse(model, select(switches))
    check_graph(model)
    counts = count_operators(model)
    assert (sum(counts.values()), *(counts.get(operator, 0) for operator in OPERATORS)) == COUNTS[switches]


def test_shipped_layer_has_thirteen_nodes_and_the_bias_of_c_attn(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["attention", "gelu", "bias"])
    assert [(node.name, node.op_type) for node in model.graph if str(node.name).startswith("h.0.")] == [
        ("h.0.ln_1", "LayerNormalization"),
        ("h.0.attn.c_attn", "MatMul"),
        ("h.0.attn.c_attn.bias_add", "Add"),
        ("h.0.attn.core", "GroupQueryAttention"),
        ("h.0.attn.c_proj", "MatMul"),
        ("h.0.attn.c_proj.bias_add", "Add"),
        ("h.0.attn.residual", "Add"),
        ("h.0.ln_2", "LayerNormalization"),
        ("h.0.mlp.c_fc", "MatMul"),
        ("h.0.mlp.act", "FastGelu"),
        ("h.0.mlp.c_proj", "MatMul"),
        ("h.0.mlp.c_proj.bias_add", "Add"),
        ("h.0.mlp.residual", "Add"),
    ]


def test_layer_of_all_passes_has_eight_nodes_and_the_bias_of_c_attn(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, list(PASSES))
    assert [(node.name, node.op_type) for node in model.graph if str(node.name).startswith("h.1.")] == [
        ("h.1.ln_1", "SkipLayerNormalization"),
        ("h.1.attn.c_attn", "MatMul"),
        ("h.1.attn.c_attn.bias_add", "Add"),
        ("h.1.attn.core", "GroupQueryAttention"),
        ("h.1.attn.c_proj", "MatMul"),
        ("h.1.ln_2", "SkipLayerNormalization"),
        ("h.1.mlp.c_fc", "MatMul"),
        ("h.1.mlp.act", "FastGelu"),
        ("h.1.mlp.c_proj", "MatMul"),
    ]


@pytest.mark.parametrize("switches", COMBINATIONS, ids=lambda switches: "+".join(select(switches)) or "none")
def test_nothing_unused_remains(tiny: Tiny, switches: tuple[int, ...]) -> None:
    model = read_graph(tiny.graph)
    fuse(model, select(switches))
    for node in model.graph:
        assert any(value.uses() or value.is_graph_output() for value in node.outputs), node.name
    for name, value in model.graph.initializers.items():
        assert value.uses(), name
    assert sorted(model.graph.opset_imports) == (["", "com.microsoft"] if any(switches[:3]) else [""])


def test_metadata_says_which_passes_were_applied_in_their_order(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    fuse(model, ["bias", "attention"])
    assert model.metadata_props[PASSES_APPLIED] == "attention,bias"


def test_passes_applied_again_change_nothing(tiny: Tiny, tmp_path: Path) -> None:
    model = read_graph(tiny.graph)
    fuse(model, list(PASSES))
    write_graph(model, tmp_path)
    once = (tmp_path / "model.onnx").read_bytes()
    again = read_graph(tmp_path)
    fuse(again, list(PASSES))
    write_graph(again, tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == once


def test_error_names_the_pass_and_the_layer(tiny: Tiny) -> None:
    model = read_graph(tiny.graph)
    model.graph.node("h.1.mlp.act.tanh").op_type = "Sigmoid"
    assert refuse(lambda model: fuse(model, list(PASSES)), model) == (
        "the pass `gelu` cannot rewrite this graph: "
        "`h.1.mlp.act.tanh` is `Sigmoid(h.1.mlp.act.slope) [] -> h.1.mlp.act.tanh`, "
        "expected `Tanh(h.1.mlp.act.slope) [] -> h.1.mlp.act.tanh`"
    )


@pytest.mark.parametrize(
    "shape",
    [
        Shape(heads=1, head_width=64, layers=1, tied=False),
        Shape(heads=5, head_width=16, inner=7, vocabulary=103),
        Shape(heads=2, head_width=80, layers=3),
    ],
    ids=lambda shape: f"{shape.heads}x{shape.head_width}",
)
def test_fused_logits_are_those_of_transformers(tmp_path: Path, shape: Shape) -> None:
    tiny = make_tiny(tmp_path, shape)
    session = tiny.fuse(tmp_path / "fused", list(PASSES))
    ids = tiny.ids(2, 17)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(2)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 1e-4


def test_cache_is_extended_in_place(tiny: Tiny, fused: ort.InferenceSession) -> None:
    ids, capacity = tiny.ids(1, 9), 32
    names = [pair for layer in range(2) for pair in zip(past_names(layer), present_names(layer), strict=True)]
    buffers = {past: ort.OrtValue.ortvalue_from_numpy(np.zeros((1, 3, capacity, 8), np.float32)) for past, _ in names}
    pieces = []
    for start, end in ((0, 5), (5, 6), (6, 9)):
        binding = fused.io_binding()
        feeds = make_feeds(ids[:, start:end], {}, np.ones((1, end), np.int64))
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for past, present in names:
            binding.bind_ortvalue_input(past, buffers[past])
            binding.bind_ortvalue_output(present, buffers[past])
        binding.bind_output("logits")
        fused.run_with_iobinding(binding)
        pieces.append(binding.copy_outputs_to_cpu()[-1])
    assert distance(np.concatenate(pieces, axis=1), torch_logits(tiny.model, ids)) < 1e-4
    _, cache = run(fused, make_feeds(ids, read_cache_shape(fused).empty(1)))
    for name, buffer in buffers.items():
        assert distance(buffer.numpy()[:, :, :9], cache[name]) < 1e-5


texts = st.lists(st.integers(0, 100), min_size=1, max_size=20).map(np.array)


@settings(max_examples=50, deadline=None)
@given(text=texts, cuts=st.sets(st.integers(1, 19)))
def test_any_split_of_a_text_into_passes_gives_the_logits_of_one_pass(
    fused: ort.InferenceSession, text: Array, cuts: set[int]
) -> None:
    empty = read_cache_shape(fused).empty(1)
    whole, _ = run(fused, make_feeds(text[None], empty))
    past, pieces = empty, []
    for piece in np.split(text[None], [cut for cut in sorted(cuts) if cut < len(text)], axis=1):
        logits, past = run(fused, make_feeds(piece, past))
        pieces.append(logits)
    assert distance(np.concatenate(pieces, axis=1), whole) < 1e-5


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(texts, min_size=1, max_size=4), steps=st.integers(0, 3))
def test_left_padded_rows_equal_each_row_alone(fused: ort.InferenceSession, rows: list[Array], steps: int) -> None:
    shape = read_cache_shape(fused)
    ids, mask = pad_left(rows)
    together, past = run(fused, make_feeds(ids, shape.empty(len(rows)), mask))
    alone = [run(fused, make_feeds(row[None], shape.empty(1))) for row in rows]
    for row, found, (expected, _) in zip(rows, together, alone, strict=True):
        assert distance(found[-len(row) :], expected[0]) < 1e-5
    for step in range(steps):
        new = np.full((len(rows), 1), step)
        mask = np.pad(mask, ((0, 0), (0, 1)), constant_values=1)
        together, past = run(fused, make_feeds(new, past, mask))
        alone = [run(fused, make_feeds(new[:1], cache)) for _, cache in alone]
        for found, (expected, _) in zip(together, alone, strict=True):
            assert distance(found, expected[0]) < 1e-5
