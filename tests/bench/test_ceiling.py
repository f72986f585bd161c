"""The kernels of `bench/ceiling`: each computes what NumPy and ONNX Runtime compute, and is timed beside the operator."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from bench.ceiling.forms import FORMS, MANY, ONE, OPERATOR, READ, Kernel
from bench.ceiling.layouts import Weights, draw_weights, multiply
from bench.ceiling.library import SOURCE, Copies, Kernels, Missing
from bench.ceiling.measure import Layers, list_products, measure_ceiling, stack_layers
from bench.ceiling.tables import find_gain, tabulate_ceiling, tabulate_gains, tabulate_missed
from bench.kernels import FORMS as OPERATORS
from bench.kernels import make_input, open_model, start_stack, write_stack
from bench.plan import Plan
from bench.shapes import Shape

pytestmark = pytest.mark.slow

SHAPE = Shape(n_vocab=500, n_ctx=64, n_embd=256, n_head=4, n_layer=2)
LENGTH, COLUMNS = 512, 192
KERNELS = [
    pytest.param(form, rows, kernel, id=f"{kernel.function}-{rows}-{form}")
    for form, each in FORMS.items()
    for rows, named in each.kernels.items()
    for name, kernel in named.items()
    if name != READ
]


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    try:
        return Kernels()
    except Missing as missing:
        pytest.skip(str(missing))


def draw(form: str) -> Weights:
    return draw_weights(np.random.default_rng(0), FORMS[form].bits, COLUMNS, LENGTH, FORMS[form].block or LENGTH)


@pytest.mark.parametrize(("form", "rows", "kernel"), KERNELS)
def test_every_kernel_computes_numpy_s_product(kernels: Kernels, form: str, rows: str, kernel: Kernel) -> None:
    if kernel.needs_tiles and not kernels.has_tiles:
        pytest.skip("this processor has no tiles of AMX")
    weights = draw(form)
    x = np.random.default_rng(1).standard_normal((int(rows), LENGTH), np.float32)
    copies = Copies(weights, kernel.pack(weights), 2)
    expected = multiply(x, weights)
    for threads in (1, 2, 3):
        seconds, found = kernels.multiply(kernel.function, copies.matrices, x, COLUMNS, threads)
        assert seconds > 0
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_numpy_s_product_is_the_operator_s() -> None:
    """The operator's weights are drawn as bytes of the same steps, whose scales are all equal."""
    stack, x = start_stack(), make_input("x", LENGTH)
    product = OPERATORS["int8 blocks of 128"](stack, "product", x, LENGTH, COLUMNS)
    initializers = {name: value.const_value for name, value in stack.builder.initializers.items()}
    steps, scales = (initializers[f"product.weight.{part}"].numpy() for part in ("blocks", "scales"))
    session = open_model(write_stack(stack, [x], [product]))
    rows = np.random.default_rng(1).standard_normal((1, 3, LENGTH), np.float32)
    expected = multiply(rows[0], Weights(8, steps.reshape(COLUMNS, LENGTH), scales))
    np.testing.assert_allclose(session.run(None, {"x": rows})[0][0], expected, atol=1e-2 * np.abs(expected).max())


def test_a_wrong_product_stops_the_measurement(kernels: Kernels) -> None:
    layers = Layers(FORMS["int8 blocks of 128"], SHAPE)
    with pytest.raises(ArithmeticError, match="`read_8` with 1 threads is not what NumPy computes"):
        layers.check(kernels, [Kernel("read_8")], 1)


@pytest.mark.parametrize("form", FORMS)
def test_a_stack_of_layers_has_four_products_each(form: str) -> None:
    model, size = stack_layers(OPERATORS[form], SHAPE, 2)
    weights = sum(length * columns for length, columns in list_products(SHAPE))
    assert weights == 12 * 256 * 256
    assert size == pytest.approx(weights * {8: 1, 4: 0.5}[FORMS[form].bits], rel=0.26)
    (found,) = open_model(model).run(None, {"x": np.ones((1, 2, 256), np.float32)})
    assert found.shape == (1, 2, 256)


def test_copies_are_memory_of_their_own_on_lines_of_the_cache() -> None:
    weights = draw("int4 blocks of 32")
    copies = Copies(weights, FORMS["int4 blocks of 32"].kernels[ONE]["a column in each lane"].pack(weights), 3)
    places = [matrix.data for matrix in copies.matrices]
    assert len(set(places)) == 3
    assert all(place % 64 == 0 for place in places)
    assert (copies.arrays[0] == copies.arrays[0][0]).all()


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.ceiling.measure.PAUSE", 0)
        return measure_ceiling(Plan("tiny", SHAPE, Path(), Path(), rounds=1, patience=0))


def test_every_kernel_is_timed_beside_the_operator(kernels: Kernels, measured: dict[str, Any]) -> None:
    assert (measured["missing"] is None) == kernels.has_tiles
    for form, sheet in zip(FORMS, tabulate_ceiling(measured), strict=True):
        named = FORMS[form].kernels
        expected = [OPERATOR, *dict.fromkeys(name for rows in named.values() for name in rows)]
        assert [row[0] for row in sheet.rows if row[0] in expected] == [row[0] for row in sheet.rows]
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}
        if kernels.has_tiles:
            assert [row[0] for row in sheet.rows] == expected


def test_a_machine_without_the_instructions_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.ceiling.library.read_cpuinfo", lambda: {"flags": "sse4_2 avx2"})
    found = measure_ceiling(Plan("tiny", SHAPE, Path(), Path()))
    assert found == {"missing": "this processor has no avx512_vnni", "forms": {}}
    assert tabulate_gains(found).rows == []


def test_a_machine_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.ceiling.library.read_cpuinfo", lambda: {"flags": "avx512_vnni"})
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match="there is no compiler `cc`"):
        Kernels()


def test_a_missed_goal_is_compared_with_the_fastest_kernel() -> None:
    times = {
        OPERATOR: {"1": spread(20), "2": spread(10)},
        "four columns, asking ahead": {"1": spread(1), "2": spread(8)},
        "a column in each lane": {"1": spread(9), "2": spread(5)},
        READ: {"1": spread(1), "2": spread(1)},
    }
    ceiling = {"forms": {"int8 blocks of 128": {"ms": {ONE: times}}}}
    assert find_gain(ceiling, "int8 blocks of 128", ONE, "four columns, asking ahead") == 0.8
    assert find_gain(ceiling, "int8 blocks of 128", MANY, "tiles of AMX") is None
    goals = [
        goal("a token, ours, int8 blocks of 128", 1.4, 0.9, reached=False),
        goal("a token, ours, int8 blocks of 128", 2.0, 0.9, reached=False),
        goal("a token, ours, int8 blocks of 128", 0.5, 0.9, reached=True),
        goal("a token, ours, int4 blocks of 32", 1.4, 0.9, reached=False),
        goal("the memory's limit, ours, int8 blocks of 128", 0.4, 0.9, reached=False, at_least=True),
        goal("perplexity, ours, int8 blocks of 128", 1.4, 0.9, reached=False),
    ]
    rows = tabulate_missed({"goals": goals, "ceiling": ceiling}).rows
    assert [tuple(row[3:]) for row in rows] == [
        ("a column in each lane", "0.70", "yes"),
        ("a column in each lane", "1.00", "no"),
        ("a column in each lane", "0.80", "no"),
    ]


def spread(median: float) -> dict[str, float]:
    return {"median": median, "least": median, "largest": median}


def goal(what: str, value: float, bound: float, *, reached: bool, at_least: bool = False) -> dict[str, Any]:
    return {"what": what, "value": value, "goal": bound, "unit": "", "at_least": at_least, "reached": reached}


def test_every_function_that_a_form_names_is_in_the_source() -> None:
    source = SOURCE.read_text(encoding="utf-8")
    named = {kernel.function for form in FORMS.values() for rows in form.kernels.values() for kernel in rows.values()}
    assert {name for name in named if f"({name}," not in source and f"void {name}(" not in source} == set()
