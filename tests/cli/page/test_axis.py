"""Axes: round ticks, and every value inside the picture."""

from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.cli.page.axis import MOST_TICKS, format_tick, make_axis


def test_linear_axis_begins_at_zero_and_has_round_ticks() -> None:
    axis = make_axis([1.8, 5.4], 0, 100)
    assert axis.ticks == (0, 2, 4, 6)
    assert [axis.place(value) for value in (0, 3, 6)] == [0, 50, 100]


def test_wide_range_has_a_logarithmic_axis_where_that_is_allowed() -> None:
    axis = make_axis([1e-3, 1e-1], 0, 100, may_be_log=True)
    assert axis.is_log
    assert [format_tick(tick) for tick in axis.ticks] == ["1e-03", "0.01", "0.1"]
    assert axis.place(1e-2) == 50
    assert axis.place(-1) == 0
    assert not make_axis([1e-3, 1e-1], 0, 100).is_log
    assert not make_axis([1, 10], 0, 100, may_be_log=True).is_log


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5), st.booleans())
def test_every_value_is_inside_the_picture(values: list[float], may_be_log: bool) -> None:
    axis = make_axis(values, 10, 90, may_be_log)
    assert 2 <= len(axis.ticks) <= MOST_TICKS + 1
    assert all(10 <= axis.place(value) <= 90 for value in values)
