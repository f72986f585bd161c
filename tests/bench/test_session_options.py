"""Sessions of other options: each is measured in turns, and computes what our sessions compute."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("torch")

from bench.ceiling.measure import stack_layers
from bench.kernels import FORMS
from bench.plan import Plan
from bench.session_options import MEASURED, OPTIONS, USUAL, measure_options, open_changed
from bench.shapes import Shape
from bench.tables import tabulate_options
from gpt2forge.runtime.session import CALM, make_options

pytestmark = pytest.mark.slow

SHAPE = Shape(n_vocab=500, n_ctx=64, n_embd=256, n_head=4, n_layer=2)


@pytest.mark.parametrize("form", MEASURED)
def test_every_option_gives_the_same_product(form: str) -> None:
    model, _ = stack_layers(FORMS[form], SHAPE, 2)
    rows = np.random.default_rng(0).standard_normal((1, 3, 256), np.float32)
    usual, *others = (open_changed(model, change).run(None, {"x": rows})[0] for change in OPTIONS.values())
    for other in others:
        np.testing.assert_allclose(other, usual, atol=1e-5)


def test_an_option_changes_what_our_sessions_have() -> None:
    options = make_options(1)
    OPTIONS["threads that spin between runs too"](options)
    assert (make_options(1).get_session_config_entry(CALM), options.get_session_config_entry(CALM)) == ("1", "0")
    OPTIONS["memory from the system for every value"](options)
    assert not options.enable_cpu_mem_arena


def test_one_thread_is_bound_to_no_processor() -> None:
    for threads, expected in ((1, None), (3, "2;3")):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        OPTIONS["threads bound to processors"](options)
        if expected is None:
            with pytest.raises(Exception, match="does not have configuration"):
                options.get_session_config_entry("session.intra_op_thread_affinities")
        else:
            assert options.get_session_config_entry("session.intra_op_thread_affinities") == expected


def test_every_option_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.session_options.PAUSE", 0)
    sheet = tabulate_options(measure_options(Plan("tiny", SHAPE, Path(), Path(), rounds=1, patience=0)))
    assert [row[0] for row in sheet.rows] == list(OPTIONS)
    assert sheet.rows[0][0] == USUAL
    assert {len(row) for row in sheet.rows} == {len(sheet.columns)}
    assert {sheet.rows[0][column] for column in range(2, len(sheet.columns), 2)} == {"1.00"}
