"""The loop and the guesses of a built package are measured, and its likeliest tokens stay the same."""

import pytest

from bench.generation import count_equal, cut_prompts, measure_package
from tests.workshop import Workshop


@pytest.mark.slow
def test_package_is_measured(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    found = measure_package(workshop.folder / "build/nano-cpu-int8", texts=2, threads=1)
    assert all(share > 0 for share in found["loop"].values())
    for kind in ("repeating", "plain"):
        assert found["likeliest"][kind]["identical"] == found["likeliest"][kind]["tokens"]


def test_prompts_begin_lines_and_equal_tokens_are_those_before_the_first_difference() -> None:
    assert len(set(cut_prompts(5))) == 5
    assert (count_equal([1, 2, 3], [1, 2, 4]), count_equal([1, 2], [1, 2]), count_equal([1], [])) == (2, 2, 0)
