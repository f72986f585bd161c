"""Times of single products: the sessions are real, the times are only plausible."""

import numpy as np
import onnx_ir as ir
import pytest

from gpt2forge.measure.products import Products, make_products, time_products
from gpt2forge.quantize.forms import FORMS, list_forms
from gpt2forge.runtime.session import open_bytes

FORMS_OR_FLOAT = (*(form.name for form in list_forms("h.0.mlp.c_fc", 64)), None)


@pytest.mark.parametrize("name", FORMS_OR_FLOAT)
def test_every_form_multiplies_any_number_of_rows(name: str | None) -> None:
    products = Products(64, 96, FORMS[name] if name else None, count=2)
    session = open_bytes(ir.to_proto(make_products(products)).SerializeToString(), threads=1, is_exact=False)
    for rows in (1, 5):
        found = session.run(None, {"x": np.ones((1, rows, 64), np.float32)})
        assert [each.shape for each in found] == [(1, rows, 96)] * 2
        assert all(np.isfinite(each).all() and each.any() for each in found)


def test_a_larger_product_takes_longer() -> None:
    small, large = (
        time_products(Products(size, size, FORMS["8x32"]), 64, is_exact=False, threads=1) for size in (64, 768)
    )
    assert 0 < 3 * small < large
