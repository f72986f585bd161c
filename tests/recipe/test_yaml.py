"""Tests of the YAML that recipes are written in, and of what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import Place, RecipeError, UserError
from gpt2forge.recipe import yaml
from gpt2forge.recipe.yaml import Node, parse, read_document

PIECES = (
    *(
        "a",
        "b: ",
        ":",
        ": ",
        "- ",
        "-",
        "\n",
        "\n\n",
        "\n ",
        "\n  ",
        "\n    ",
        " ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ",",
        "'",
        '"',
    ),
    *(
        "#",
        " #",
        "1",
        "1.5",
        "true",
        "~",
        "null",
        "&a",
        "*a",
        "!t",
        "%Y",
        "---",
        "...",
        "?",
        "? ",
        "|",
        ">",
        "\t",
        "\r",
    ),
    *("é", "\u2028", "\x85", "\xa0", "\ufeff", "\\", "\0", "\U0001f600", "@", "`", "<<", "=", "0x1", "_", "$", "^"),
)


def read(text: str) -> Node | str:
    """Return what a text is, with all places, or what is wrong with it."""
    try:
        return parse(text, "f")
    except RecipeError as error:
        return str(error)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_libyaml_reads_what_pyyaml_reads(text: str) -> None:
    found = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "QuickLoader", yaml.StrictLoader)
        assert read(text) == found


@pytest.mark.parametrize(
    ("text", "is_quick"), [("a: {b: 1}", True), ("a: é\n", True), ("a?: 1", False), ("a: \tb", False)]
)
def test_libyaml_reads_plain_texts(monkeypatch: pytest.MonkeyPatch, text: str, is_quick: bool) -> None:
    monkeypatch.setattr(yaml, "StrictLoader", None)
    if is_quick:
        assert parse(text, "f").plain()
    else:
        with pytest.raises(TypeError):
            parse(text, "f")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("True", "True"),
        ("1e-5", 1e-5),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("128", 128),
        ("-3", -3),
        ("0o17", "0o17"),
        ("010", 10.0),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("0.5%", "0.5%"),
        ("'128'", "128"),
        ("~", None),
        ("null", None),
        ("", {}),
        ("[1, a]", [1, "a"]),
    ],
)
def test_scalar_means_what_it_seems_to_mean(text: str, value: Any) -> None:
    found = parse(text, "x").plain()
    assert found == value
    assert type(found) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_a_float(number: float) -> None:
    found = parse(repr(number), "x").plain()
    assert isinstance(found, float)
    assert found == number


def test_entry_stands_where_its_key_does() -> None:
    node = parse("a: 1\nb:\n  c: 2\n", "f.yaml")
    assert node.nearest(("b", "c")).place == Place("f.yaml", 3, 3)
    assert node.nearest(("b", "missing")).place == Place("f.yaml", 2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "f:2:1: the key `a` is already in line 1; remove one"),
        ("a: &x 1\nb: *x", "f:1:4: anchors and aliases are not allowed; use `extends`"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "f:1:4: the tag `!!python/object/apply:os.system` is not allowed; remove it",
        ),
        ("a: !mine 1", "f:1:4: the tag `!mine` is not allowed; remove it"),
        ("a: [1, 2", "f:1:4: the `[` is not closed; add `]`"),
        ("a: 1\n---\nb: 2", "f:2:1: a second document starts here; a recipe is one, so remove `---`"),
        ("a:\n\tb: 1", "f:2:1: YAML takes no tabs here; use spaces"),
        ("[1, 2]: 3", "f:1:1: a key must be a word"),
        ("a: \x00", "f:1:4: the character U+0000 is not allowed; remove it"),
    ],
)
def test_bad_document_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse(text, "f")
    assert str(error.value) == message


def test_deep_nesting_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(RecipeError, match="nested deeper than 32"):
        parse("[" * 40 + "]" * 40, "f")
    with pytest.raises(RecipeError, match="not YAML"):
        parse("[" * 100_000, "f")


def test_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(RecipeError) as error:
        read_document(path)
    assert str(error.value) == f"{path}:1:1: a recipe is a mapping: `name: ...`, `source: ...`, `target: ...`"


def test_file_that_is_too_large_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(UserError, match="cannot be read: larger than 65536 bytes"):
        read_document(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot be read"):
        read_document(path)
