"""The charts as a PNG."""

import struct

import pytest

pytest.importorskip("matplotlib")

from gpt2forge.builder.comparison import Comparison
from gpt2forge.cli.comparison_picture import DOTS, SIZE, draw_picture
from gpt2forge.errors import UserError
from tests.cli.page.pages import RESULTS, make_result


def read_size(picture: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG: https://www.w3.org/TR/png-3/#11IHDR"""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_picture_has_both_charts_and_is_the_same_each_time() -> None:
    odd = make_result("a $x^$ \\frac{ name\x1b" + "n" * 90, 10**6, 1.0, 0.01)
    picture = draw_picture(Comparison([*RESULTS, odd]))
    assert read_size(picture) == (int(2 * SIZE[0] * DOTS), int(SIZE[1] * DOTS))
    assert draw_picture(Comparison([*RESULTS, odd])) == picture


def test_results_that_cannot_be_compared_have_no_picture() -> None:
    bare = [report.leave_out(["verify", "benchmark"]) for report in RESULTS[:2]]
    with pytest.raises(UserError, match=r"^`--png`: the results have no quantity"):
        draw_picture(Comparison(bare))
