"""Products alone: every form computes one, and reads what its weights take."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from bench.kernels import (
    FORMS,
    PARTS,
    SHIPPED_FORMS,
    Part,
    measure_kernels,
    stack_apart,
    stack_beside,
    stack_mlps,
    stack_packed,
)
from bench.plan import Plan
from bench.shapes import Shape
from bench.tables import tabulate_kernels
from gpt2forge.measure.bandwidth import Bandwidth

pytestmark = pytest.mark.slow

SHAPE = Shape(n_vocab=500, n_ctx=64, n_embd=256, n_head=4, n_layer=2)
BITS = {"fp32": 32, "int8 per channel": 8, "int8 blocks of 128": 8.25, "int4 blocks of 32": 5}


@pytest.fixture(autouse=True)
def few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stack two groups of products: more only fill a cache, which decides speed and no value."""
    for name in ("PAIRS", "GROUPS"):
        monkeypatch.setattr(f"bench.kernels.{name}", 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", PARTS.values(), ids=lambda part: part.stack.__name__)
def test_every_form_gives_values_of_the_size_that_it_is_given(part: Part, form: str) -> None:
    products = part.stack(FORMS[form], SHAPE)
    for values in products.session.run(None, products.feed(16)):
        assert np.isfinite(values).all()
        assert 0.3 < np.std(values) < 3


@pytest.mark.parametrize("form", SHIPPED_FORMS)
def test_bytes_are_those_of_a_group_s_weights_and_scales(form: str) -> None:
    products = stack_mlps(FORMS[form], SHAPE)
    assert products.weights == 8 * 256 * 256
    assert products.bytes == pytest.approx(products.weights * BITS[form] / 8, rel=0.02)


def test_three_products_are_as_many_weights_as_one() -> None:
    packed, apart = (stack(FORMS["int8 blocks of 128"], SHAPE) for stack in (stack_packed, stack_apart))
    assert (packed.weights, packed.bytes) == (apart.weights, apart.bytes)
    assert len(apart.session.get_outputs()) == 3 * len(packed.session.get_outputs())


def test_measured_parts_have_a_table_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.kernels.PAUSE", 0)
    plan = Plan("tiny", SHAPE, Path(), Path(), rounds=1, patience=0)
    measured = measure_kernels(Bandwidth(256), plan)
    sheets = list(tabulate_kernels(measured))
    assert [sheet.title.partition(" of 774m")[0] for sheet in sheets] == list(PARTS)
    for sheet, part in zip(sheets, PARTS.values(), strict=True):
        assert [row[0] for row in sheet.rows] == list(part.forms)
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}


def test_few_rows_and_many_take_the_same_weights() -> None:
    """The two ways round activations differently: by block, and by row."""
    products = stack_beside(FORMS["int8 per channel, few rows in blocks of 128"], 256, [512], 1)
    rows = np.random.default_rng(0).standard_normal((1, 16, 256), np.float32)
    (many,) = products.session.run(None, {"x0": rows})
    alone = [products.session.run(None, {"x0": rows[:, place : place + 1]})[0] for place in range(16)]
    assert 0 < np.abs(np.concatenate(alone, axis=1) - many).max() < 0.05 * np.std(many)
    assert products.bytes == 256 * 512 + 4 * 512
