"""A text ends before the first stop string, however it is cut into pieces."""

from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.runtime.stops import StopFinder


def cut(text: str, stops: list[str], size: int) -> tuple[str, bool]:
    """Return what a finder passes on of a text in pieces of this size, and whether it found a stop string."""
    finder = StopFinder(stops)
    passed = [finder.push(text[start : start + size]) for start in range(0, len(text), size)]
    return "".join([*passed, finder.finish()]), finder.is_found


@given(st.text("ab<|>"), st.lists(st.text("ab<|>", min_size=1), max_size=3), st.integers(1, 4))
def test_text_ends_before_the_first_stop_however_it_is_cut(text: str, stops: list[str], size: int) -> None:
    found, is_found = cut(text, stops, size)
    places = [place for place in range(len(text)) if any(text.startswith(stop, place) for stop in stops)]
    assert text.startswith(found)
    assert is_found == bool(places)
    if not places:
        assert found == text
    else:  # a stop that ends earlier may begin later
        ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
        assert places[0] <= len(found) < min(ends)


def test_piece_waits_only_while_a_stop_may_begin_in_it() -> None:
    finder = StopFinder(["<end>"])
    assert [finder.push(piece) for piece in ("a<", "en", "x<e", "nd", ">b", "c")] == ["a", "", "<enx", "", "", ""]
    assert finder.is_found
    assert finder.finish() == ""
