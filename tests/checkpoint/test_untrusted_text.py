"""Text from files of unknown origin."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.checkpoint.untrusted_text import quote_untrusted, read_object
from gpt2forge.errors import UserError


@given(st.text() | st.lists(st.text()))
def test_quoted_name_is_one_short_line_that_can_be_printed(name: object) -> None:
    shown = quote_untrusted(name)
    assert shown.isprintable()
    assert len(shown) <= 110
    shown.encode()


def test_ordinary_name_is_shown_as_it_is() -> None:
    assert quote_untrusted("h.0.attn.c_attn.weight") == "`h.0.attn.c_attn.weight`"


def test_endless_nesting_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("[" * 1_000_000)
    with pytest.raises(
        UserError, match=r"x\.json: not JSON: (maximum recursion depth exceeded|Stack overflow) .*array.*$"
    ):
        read_object(path)


def test_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError) as error:
        read_object(path)
    assert str(error.value) == f"{path}: larger than 67108864 bytes; is it the right file?"
