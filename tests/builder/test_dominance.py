"""Dominance of results whose numbers are uncertain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.builder.dominance import Quantity, dominates, make_quantity, make_size


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((1, 0.9, 1.1), (2, 1.8, 2.2), True),
        ((2, 1.8, 2.2), (1, 0.9, 1.1), False),
        ((1, 0.9, 1.1), (1.15, 1.05, 1.3), False),
    ],
)
def test_one_quantity_decides_only_beyond_its_intervals(
    one: tuple[float, float, float], other: tuple[float, float, float], expected: bool
) -> None:
    made = [make_quantity(value, (low, high)) for value, low, high in (one, other)]
    assert dominates(made[:1], made[1:]) is expected


def test_what_is_surely_less_in_one_and_perhaps_equal_in_the_others_dominates() -> None:
    fast, slow, close = make_quantity(1, (0.9, 1.1)), make_quantity(2, (1.8, 2.2)), make_quantity(1.05, (0.95, 1.2))
    assert dominates([fast, close], [slow, fast])
    assert not dominates([fast, slow], [slow, fast])


def test_sizes_that_differ_by_some_bytes_are_equal() -> None:
    assert not dominates([make_size(1_000_000)], [make_size(1_000_300)])
    assert dominates([make_size(1_000_000)], [make_size(1_002_000)])


QUANTITIES = st.tuples(*[st.floats(0, 3)] * 3).map(lambda found: make_quantity(found[0], (found[1], found[2])))
POINTS = st.lists(QUANTITIES, min_size=2, max_size=2)


@given(POINTS, POINTS)
def test_two_results_never_dominate_each_other(one: list[Quantity], other: list[Quantity]) -> None:
    assert not (dominates(one, other) and dominates(other, one))
