"""Tests of the variants that a matrix makes, and of the faults of a bad one."""

from typing import Any

import pytest

from gpt2forge.errors import Fault
from gpt2forge.recipe.variants import FORM, NAMED, NONE, list_variants
from gpt2forge.recipe.yaml import parse


def make(text: str) -> dict[str, Any]:
    """Return the changes of each variant by name; there must be no faults."""
    faults: list[Fault] = []
    variants = list_variants(parse(text, "x"), faults)
    assert faults == []
    return {variant.name: variant.changes.plain() for variant in variants}


def fail(text: str) -> list[str]:
    faults: list[Fault] = []
    list_variants(parse(text, "x"), faults)
    return [str(fault) for fault in faults]


def test_mapping_names_variants_in_its_order() -> None:
    assert list(make("{b: {q: {s: 1}}, a: {}, 32: {q: 2}, true: {q: null}}").items()) == [
        ("b", {"q": {"s": 1}}),
        ("a", {}),
        ("32", {"q": 2}),
        ("true", {"q": None}),
    ]


def test_list_makes_every_combination_and_later_ones_win() -> None:
    text = """
- int8: {q: {s: int8, g: 1}}
  int4: {q: {s: int4}}
- 32: {q: {g: 32}}
  128: {q: {g: 128}}
"""
    assert list(make(text).items()) == [
        ("int8-32", {"q": {"s": "int8", "g": 32}}),
        ("int8-128", {"q": {"s": "int8", "g": 128}}),
        ("int4-32", {"q": {"s": "int4", "g": 32}}),
        ("int4-128", {"q": {"s": "int4", "g": 128}}),
    ]


@pytest.mark.parametrize("text", ["3", "int8", "true", "{}", "[]", "{a: null}"])
def test_matrix_without_variants_is_one_line(text: str) -> None:
    assert fail(text) == [f"x:1:1: {NONE}"]


@pytest.mark.parametrize("text", ["[{a: {}}, {}]", "[{a: {}}, 3]", "[{a: {}}, null]", "[{a: {}}, [{}]]"])
def test_axis_without_variants_is_told_at_its_place(text: str) -> None:
    assert fail(text) == [f"x:1:11: {NONE}"]


@pytest.mark.parametrize("name", ["..", "a..b", "a/b", "'a b'", "a@b", "''", '"a\\nb"', "ü", "a.json", "b.yaml", "~"])
def test_name_that_no_file_should_have_is_one_line(name: str) -> None:
    assert fail(f"{{{name}: {{}}}}") == [f"x:1:2: {NAMED}"]


@pytest.mark.parametrize("text", ["{a: 3}", "{a: [b]}", "[{a: null}]", "{a: int8}"])
def test_variant_that_is_no_mapping_is_one_line(text: str) -> None:
    (fault,) = fail(text)
    assert fault.endswith(f": a variant is a mapping of its changes, as in {FORM}")


def test_what_no_variant_can_change_says_why() -> None:
    assert fail("a: {name: b,\n  extends: b.yaml}\nb:\n  matrix: {}") == [
        "x:1:5: a variant is published as `RECIPE@VARIANT`, so leave `name` out",
        "x:2:3: all variants extend the same files, so move `extends` to the top of the file",
        "x:4:3: a variant has no variants; for combinations make `matrix` a list of mappings",
    ]


def test_same_name_twice_is_one_line() -> None:
    assert fail("- {a-b: {}, a: {}}\n- {c: {}, b-c: {}}") == [
        "x:2:11: `matrix` makes the variant `a-b-c` twice; rename one"
    ]


def test_bomb_is_counted_and_not_made() -> None:
    axis = ", ".join(f"{number}: {{}}" for number in range(10))
    assert fail("\n".join([f"- {{{axis}}}"] * 30)) == [
        f"x:1:1: `matrix` makes {10**30} variants; 256 are allowed, so split the recipe"
    ]
    assert len(make("\n".join([f"- {{{axis}}}"] * 2))) == 100
