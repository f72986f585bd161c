"""Text that reaches a terminal holds nothing that a terminal obeys."""

from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import Fault, Place, UserError
from gpt2forge.terminal_text import escape, escape_line

TITLE = "a\x1b]0;title\x07b"


@given(st.text(st.characters()))
def test_escaped_text_can_be_printed_and_stays_as_it_is(text: str) -> None:
    shown = escape_line(text)
    assert shown.isprintable()
    shown.encode()
    assert escape_line(shown) == shown
    assert escape(text).replace("\n", "").replace("\t", "").isprintable()


def test_what_a_terminal_obeys_is_shown_as_an_escape() -> None:
    assert escape_line(TITLE) == r"a\x1b]0;title\x07b"
    assert escape_line("abc\u202edef\u2028\ud800\x9b") == r"abc\u202edef\u2028\ud800\x9b"
    assert escape("a\tb\nc\r") == "a\tb\nc\\r"


def test_name_in_an_error_begins_no_other_line() -> None:
    assert str(UserError("x\nerror: y\x1b: is missing")) == r"x\nerror: y\x1b: is missing"
    assert str(UserError("a", "b")) == "a\nb"
    assert str(Fault(Place("x\ny", 1, 1), "z")) == "x\ny:1:1: z"
