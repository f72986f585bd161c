"""Tests of whole packages: every scheme on every fused graph computes what PyTorch does with the package's weights."""

from itertools import chain, combinations
from pathlib import Path

import numpy as np
import onnx
import pytest

from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import read_graph
from gpt2forge.graph.passes import PASSES
from gpt2forge.quantize.data_file import find_region, find_weights, map_weight
from gpt2forge.quantize.scheme import make_scheme
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import open_package
from tests.graph.models import Shape, Tiny, distance, make_tiny, pad_left, torch_logits
from tests.quantize.packages import SCHEMES, logits_of, pack, restore, spoil

COMBINATIONS = list(chain.from_iterable(combinations(PASSES, count) for count in range(len(PASSES) + 1)))
HALVES = [
    pytest.param(passes, scheme, id=f"{'+'.join(passes)}-{scheme}")
    for place, scheme in enumerate(SCHEMES)
    for passes in COMBINATIONS
    if len(passes) % 2 == place % 2
]
"""Every combination of passes with half of the schemes, and every scheme with all combinations of any three passes."""
# Fractions of the logits' spread. The error of the integer schemes comes from activations, which have 8 bits there. The
# weights of these models are random and large, so it is far larger than in a trained model.
TOLERANCES = dict.fromkeys(SCHEMES, 0.05) | {"float32": 1e-5, "float16-positions": 1e-5}
# The largest difference of the same row in different batches. Float32 and the channel form treat each row alone, but
# MatMulNBits has other kernels for one row than for many, which round differently on some processors.
APART = dict.fromkeys(SCHEMES, 0.05) | dict.fromkeys(
    ("float32", "float16-positions", "int8-channel-float-tables"), 1e-05
)


@pytest.mark.parametrize(("passes", "scheme"), HALVES)
def test_every_scheme_works_on_every_fused_graph(tiny: Tiny, tmp_path: Path, scheme: str, passes: list[str]) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme], passes)
    ids, model = tiny.ids(2, 9), restore(tiny, tmp_path / "out", SCHEMES[scheme])
    assert distance(logits_of(tmp_path / "out", ids), torch_logits(model, ids)) < TOLERANCES[scheme]


@pytest.fixture(
    scope="module",
    params=[(heads, width, tied) for heads, width in ((1, 20), (3, 12), (4, 40)) for tied in (True, False)],
    ids=str,
)
def sized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    heads, width, tied = request.param
    shape = Shape(heads=heads, head_width=width, layers=1, vocabulary=33, inner=50, tied=tied)
    return make_tiny(tmp_path_factory.mktemp("sized"), shape)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_width_works(sized: Tiny, tmp_path: Path, scheme: str) -> None:
    passes = list(PASSES) if sized.shape.head_width % 8 == 0 else []
    pack(sized, tmp_path / "out", SCHEMES[scheme], passes)
    ids, model = sized.ids(2, 7), restore(sized, tmp_path / "out", SCHEMES[scheme])
    assert distance(logits_of(tmp_path / "out", ids), torch_logits(model, ids)) < TOLERANCES[scheme]


@pytest.fixture(scope="module", params=["gelu", "relu", "silu", "tanh"])
def activated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    shape = Shape(activation=request.param, scaled_by_layer=True, epsilon=1e-3)
    return make_tiny(tmp_path_factory.mktemp("activated"), shape)


@pytest.mark.parametrize("scheme", ["int8-128", "int8-channel", "int4-32", "mixed"])
def test_every_activation_works(activated: Tiny, tmp_path: Path, scheme: str) -> None:
    pack(activated, tmp_path / "out", SCHEMES[scheme])
    ids, model = activated.ids(2, 9), restore(activated, tmp_path / "out", SCHEMES[scheme])
    assert distance(logits_of(tmp_path / "out", ids), torch_logits(model, ids)) < TOLERANCES[scheme]


def test_bias_before_an_activation_that_takes_none_goes_into_the_product(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(activation="relu"))
    pack(tiny, tmp_path / "out", SCHEMES["int8-128"])
    nodes = {str(node.name): node for node in read_graph(tmp_path / "out").graph}
    assert [value.name for value in nodes["h.1.mlp.c_fc"].inputs[5:] if value] == ["h.1.mlp.c_fc.bias"]
    assert not any(name.endswith("bias_add") for name in nodes)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_pass_equals_token_by_token(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme])
    session, ids = open_package(tmp_path / "out", threads=1), tiny.ids(1, 8)
    whole, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(1)))
    past, steps = read_cache_shape(session).empty(1), []
    for token in ids[0]:
        logits, past = run(session, make_feeds(np.array([[token]]), past))
        steps.append(logits)
    assert distance(np.concatenate(steps, axis=1), whole) < APART[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_left_padded_row_equals_the_row_alone(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme])
    rows = [tiny.ids(length, seed=length) for length in (9, 4, 1)]
    together = logits_of(tmp_path / "out", *pad_left(rows))
    for row, logits in zip(rows, together, strict=True):
        alone = logits_of(tmp_path / "out", row[None])[0]
        assert distance(logits[-len(row) :], alone) < APART[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bytes_do_not_depend_on_the_threads(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    rows = [pack(tiny, tmp_path / str(threads), SCHEMES[scheme], threads=threads) for threads in (1, 3)]
    assert rows[0] == rows[1]
    for name in ("model.onnx", "model.onnx_data"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_package_is_valid_onnx(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    pack(tiny, tmp_path / "out", SCHEMES[scheme])
    onnx.checker.check_model(str(tmp_path / "out" / "model.onnx"))
    onnx.load(tmp_path / "out" / "model.onnx")


def test_float32_weights_are_copied_bit_for_bit(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", SCHEMES["float32"])
    stored = find_weights(read_graph(tmp_path / "out").graph)
    for name, weight in find_weights(read_graph(tiny.graph).graph).items():
        np.testing.assert_array_equal(map_weight(stored[name], tmp_path / "out"), map_weight(weight, tiny.weights))


def test_tied_table_is_stored_once(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", SCHEMES["int8-128"])
    stored = find_weights(read_graph(tmp_path / "out").graph)
    assert find_region(stored["wte.weight.rows"]) == find_region(stored["wte.weight.blocks"])
    assert stored["wte.weight.rows"].shape.numpy() == (101, 128)
    assert stored["wte.weight.blocks"].shape.numpy() == (101, 1, 128)
    assert not any(name.startswith("lm_head") for name in stored)


def test_untied_tables_are_two(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(layers=1, tied=False))
    rows = pack(tiny, tmp_path / "out", SCHEMES["int8-128"])
    stored = find_weights(read_graph(tmp_path / "out").graph)
    assert {"wte.weight.rows", "lm_head.weight.blocks"} <= stored.keys()
    assert not {"wte.weight.blocks", "lm_head.weight.rows"} & stored.keys()
    assert {row.name: row.bits for row in rows}["lm_head.weight"] == 8


ROWS = ("Abs", "ReduceMax", "Max", "Div", "QuantizeLinear")
CHANNEL = (*ROWS, "MatMulIntegerToFloat")
SHIPPED = ("attention", "gelu", "bias")
LAYERS: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {
    ("int4-32", tuple(PASSES)): (
        *("SkipLayerNormalization", "MatMulNBits", "GroupQueryAttention", "MatMulNBits"),
        *("SkipLayerNormalization", "MatMulNBits", "FastGelu", "MatMulNBits"),
    ),
    **dict.fromkeys(
        (("int4-32", SHIPPED), ("int8-128", SHIPPED)),
        (
            *("LayerNormalization", "MatMulNBits", "GroupQueryAttention", "MatMulNBits", "Add"),
            *("LayerNormalization", "MatMulNBits", "FastGelu", "MatMulNBits", "Add"),
        ),
    ),
    ("int8-channel", SHIPPED): (  # outputs of a GELU need no Abs, and the GELU adds the bias of the product before it
        *("LayerNormalization", *CHANNEL, "Add", "GroupQueryAttention", *CHANNEL, "Add", "Add"),
        *("LayerNormalization", *CHANNEL, "FastGelu", *CHANNEL[1:], "Add", "Add"),
    ),
}


@pytest.mark.parametrize(
    ("scheme", "passes"), LAYERS, ids=lambda value: value if isinstance(value, str) else len(value)
)
def test_layer_has_these_nodes_and_no_others(tiny: Tiny, tmp_path: Path, scheme: str, passes: tuple[str, ...]) -> None:
    """The list has every node, so there is no Reshape, Transpose or Cast between them."""
    pack(tiny, tmp_path / "out", SCHEMES[scheme], list(passes))
    graph = read_graph(tmp_path / "out").graph
    layer = tuple(node.op_type for node in graph if str(node.name).startswith("h.0."))
    assert layer == LAYERS[scheme, passes]
    between = {"Reshape", "Transpose", "Cast", "Concat", "Split"}
    for node in graph:
        if node.op_type in between:  # only for the mask, before the first layer
            assert str(node.name).startswith("mask."), node.name


@pytest.mark.parametrize("scheme", ["int8-128", "int8-channel", "int4-32"])
def test_nothing_is_computed_twice(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    """No two nodes have the same operator, inputs and attributes."""
    pack(tiny, tmp_path / "out", SCHEMES[scheme], list(SHIPPED))
    done = [
        (node.op_type, *(value.name if value else None for value in node.inputs), str(node.attributes))
        for node in read_graph(tmp_path / "out").graph
    ]
    assert len(set(done)) == len(done) > 20


def test_integer_matmul_keeps_rows_independent(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", make_scheme("int8", "channel", "none"))
    ids = tiny.ids(2, 6)
    together, alone = logits_of(tmp_path / "out", ids), logits_of(tmp_path / "out", ids[:1])
    assert distance(together[:1], alone) < 1e-5


def test_rows_of_zeros_divide_by_nothing(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(layers=1))
    path = tiny.weights / "model.safetensors"
    weight = find_weights(read_graph(tiny.graph).graph)["h.0.ln_1.weight"]
    bias = find_weights(read_graph(tiny.graph).graph)["h.0.ln_1.bias"]
    with path.open("r+b") as file:
        for tensor in (weight, bias):
            file.seek(find_region(tensor).offset)
            file.write(bytes(find_region(tensor).length))
    for scheme in ("int8-channel", "int8-16", "int4-all", "mixed"):
        pack(tiny, tmp_path / scheme, SCHEMES[scheme])
        assert np.isfinite(logits_of(tmp_path / scheme, tiny.ids(1, 5))).all()


@pytest.mark.parametrize("scheme", [name for name, scheme in SCHEMES.items() if scheme.linear])
def test_weight_that_is_not_finite_is_named(tmp_path: Path, scheme: str) -> None:
    tiny = make_tiny(tmp_path, Shape(layers=1))
    spoil(tiny, "h.0.mlp.c_fc.weight", np.nan)
    with pytest.raises(UserError) as error:
        pack(tiny, tmp_path / "out", SCHEMES[scheme])
    assert str(error.value) == (
        f"{tiny.weights / 'model.safetensors'}: `h.0.mlp.c_fc.weight` cannot be quantized: a value is not finite; "
        "start from an earlier checkpoint, or use `scheme: none`"
    )


def test_coverage_counts_every_weight_and_byte_once(tiny: Tiny, tmp_path: Path) -> None:
    rows = pack(tiny, tmp_path / "out", SCHEMES["int4-32"])
    regions = {find_region(tensor) for tensor in find_weights(read_graph(tmp_path / "out").graph).values()}
    assert sum(row.bytes for row in rows) == sum(region.length for region in regions)
    assert sum(row.weights for row in rows) == sum(weight.numel() for weight in tiny.model.parameters())
    c_fc = next(row for row in rows if row.name == "h.0.mlp.c_fc.weight").to_json()
    assert c_fc == {
        "name": "h.0.mlp.c_fc.weight",
        "bits": 4,
        "block": 32,
        "bytes": 52 * (16 + 4),
        "bits_per_weight": round(8 * 52 * 20 / (24 * 52), 3),
        "error": c_fc["error"],
    }
    assert isinstance(c_fc["error"], float) and 0.05 < c_fc["error"] < 0.12


def test_positions_that_float16_cannot_hold_are_named(tmp_path: Path) -> None:
    tiny = make_tiny(tmp_path, Shape(layers=1))
    for wrong, fault in ((np.nan, "a value is not finite"), (65520, "a value is beyond 65504, the largest of float16")):
        spoil(tiny, "wpe.weight", wrong)
        with pytest.raises(UserError) as error:
            pack(tiny, tmp_path / str(wrong), SCHEMES["float16-positions"])
        assert str(error.value) == (
            f"{tiny.weights / 'model.safetensors'}: `wpe.weight` cannot be quantized: {fault}; "
            "start from an earlier checkpoint, or use `positions: float32`, or `scheme: none` where everything is float16"
        )


def test_coverage_tells_of_each_exception(tiny: Tiny, tmp_path: Path) -> None:
    rows = pack(tiny, tmp_path / "out", SCHEMES["mixed"])
    regions = {find_region(tensor) for tensor in find_weights(read_graph(tmp_path / "out").graph).values()}
    assert sum(row.bytes for row in rows) == sum(region.length for region in regions)
    assert {row.name: (row.bits, row.block, row.bytes) for row in rows if row.weights > 200} == {
        "wte.weight": (8, 16, 101 * 2 * (16 + 4)),
        "wpe.weight": (16, None, 48 * 24 * 2),
        "h.0.attn.c_attn.weight": (4, 16, 72 * 2 * (8 + 4)),
        "h.1.attn.c_attn.weight": (4, 32, 72 * (16 + 4)),
        **{f"h.{layer}.attn.c_proj.weight": (32, None, 24 * 24 * 4) for layer in (0, 1)},
        **{f"h.{layer}.mlp.c_fc.weight": (8, None, 52 * (24 + 4)) for layer in (0, 1)},
        **{f"h.{layer}.mlp.c_proj.weight": (8, 128, 24 * (128 + 4)) for layer in (0, 1)},
    }
    errors = {row.name: row.error for row in rows}
    assert errors["h.0.attn.c_proj.weight"] == 0
    assert 0 < errors["wpe.weight"] < 2**-11 < errors["h.0.mlp.c_proj.weight"] < errors["h.0.attn.c_attn.weight"]


def test_float16_positions_are_looked_up_and_then_made_float32(tiny: Tiny, tmp_path: Path) -> None:
    pack(tiny, tmp_path / "out", SCHEMES["float16-positions"])
    graph = read_graph(tmp_path / "out").graph
    nodes = {node.name: node for node in graph}
    assert (nodes["wpe.rows"].op_type, nodes["wpe"].op_type) == ("Gather", "Cast")
    assert [node.name for node in graph if node.op_type == "Cast" and (node.name or "").startswith(("h.", "wpe"))] == [
        "wpe"
    ]
    region = find_region(find_weights(graph)["wpe.weight"])
    stored = np.fromfile(tmp_path / "out" / "model.onnx_data", np.float16, region.length // 2, offset=region.offset)
    expected = tiny.model.transformer.wpe.weight.detach().numpy().astype(np.float16)
    np.testing.assert_array_equal(stored, expected.reshape(-1))


@pytest.mark.parametrize(
    ("overrides", "skip", "fault"),
    [
        (
            {"h.*.mlp.c_proj": (8, 128), "h.1.*": (8, 128)},
            [],
            "`quantization`: two patterns match `h.1.mlp.c_proj`, `h.*.mlp.c_proj` and `h.1.*`; let one decide",
        ),
        (
            {"h.*.c_proj": (8, 128)},
            ["h.1.mlp.*"],
            "`quantization`: two patterns match `h.1.mlp.c_proj`, `h.*.c_proj` and `h.1.mlp.*`; let one decide",
        ),
        (
            {"h.99.*": (8, 128)},
            [],
            "`quantization.overrides`: `h.99.*` matches no linear layer of this model, which has `h.0.attn.c_attn` to "
            "`h.1.mlp.c_proj`",
        ),
        (
            {},
            ["h.2.mlp.c_fc"],
            "`quantization.skip`: `h.2.mlp.c_fc` matches no linear layer of this model, which has `h.0.attn.c_attn` to "
            "`h.1.mlp.c_proj`",
        ),
    ],
)
def test_patterns_that_do_not_fit_the_model_are_named(
    tiny: Tiny, tmp_path: Path, overrides: dict[str, tuple[int, int | str | None]], skip: list[str], fault: str
) -> None:
    scheme = make_scheme("int4", 32, "int8", overrides=overrides, skip=skip)
    with pytest.raises(UserError) as error:
        pack(tiny, tmp_path / "out", scheme)
    assert str(error.value) == fault


def test_two_patterns_may_skip_the_same(tiny: Tiny, tmp_path: Path) -> None:
    rows = pack(tiny, tmp_path / "out", make_scheme("int4", 32, "int8", skip=["h.0.*", "h.*.mlp.c_fc"]))
    left = {row.name for row in rows if row.bits == 32 and row.weights > 500 and row.name.startswith("h.")}
    kinds = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    assert left == {*(f"h.0.{kind}.weight" for kind in kinds), "h.1.mlp.c_fc.weight"}
