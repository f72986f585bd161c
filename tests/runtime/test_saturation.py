"""Tests of the trial product for processors that saturate; interop/test_older_cpu.py emulates one that does."""

import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from gpt2forge.runtime.session import EXACT_PRODUCTS, make_options, make_product, saturates


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what a processor has in /proc/cpuinfo")
def test_avx2_without_vnni_saturates_and_nothing_else() -> None:
    flags = set(" ".join(re.findall(r"^flags\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)).split())
    assert saturates() is ("avx2" in flags and not flags & {"avx512_vnni", "avx_vnni"})


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_products_of_our_sessions_are_exact(rows: int) -> None:
    session = ort.InferenceSession(make_product(), make_options(1), providers=["CPUExecutionProvider"])
    (product,) = session.run(None, {"rows": np.full((rows, 64), 255, np.uint8)})
    assert (product == 64 * 255 * 127).all()


def test_option_is_set_where_it_is_needed_and_nowhere_else() -> None:
    options = make_options(1)
    if saturates():
        assert options.get_session_config_entry(EXACT_PRODUCTS) == "1"
    else:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry(EXACT_PRODUCTS)
