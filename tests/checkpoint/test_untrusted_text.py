"""Text from files of unknown origin."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.checkpoint.untrusted_text import MOST_MARKS, quote_untrusted, read_object
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


def test_millions_of_values_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": [' + "[]," * (MOST_MARKS // 2) + "[]]}")
    with pytest.raises(UserError) as error:
        read_object(path)
    assert str(error.value) == f"{path}: holds millions of values; is it the right file?"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": NaN}', "not JSON: NaN is not a number that JSON has"),
        ('{"a": [-Infinity]}', "not JSON: -Infinity is not a number that JSON has"),
        ('{"a": 1e999}', "not JSON: 1e999 is too large for a number"),
        ('{"a": "\\ud800"}', "holds half of a surrogate pair"),
        ('{"a": ' + "[" * 100 + "]" * 100 + "}", "nested deeper than 64 levels"),
        ('{"a": 1' + "0" * 5000 + "}", "not JSON: Exceeds the limit"),
        ("[]", "not a JSON object"),
    ],
)
def test_what_is_no_json_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_object(path)
    assert str(error.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(error.value)


def test_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(UserError, match="not a file; is it the right file"):
        read_object(tmp_path / "x.json")
