"""Recipes that a selector means."""

from pathlib import Path

import pytest

from gpt2forge.errors import Fault, UserError
from gpt2forge.recipe.lookup import find_one, find_owner, find_recipes

MATRIX = "matrix:\n  - int8: {q: {s: int8}}\n    int4: {q: {s: int4}}\n  - 32: {q: {g: 32}}\n    128: {q: {g: 128}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recipes with and without a matrix, and one that is no YAML."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    for name, text in {"big": MATRIX, "nano": "a: 1\n", "nano-x": "a: 1\n", "bad": "{"}.items():
        (tmp_path / f"recipes/{name}.yaml").write_text(text)
    return tmp_path


def find(*selectors: str) -> list[str]:
    """The names of what is meant; nothing may be wrong there."""
    faults: list[Fault] = []
    found = find_recipes(selectors, faults)
    assert faults == []
    return [each.name for each in found]


def refuse(*selectors: str) -> str:
    with pytest.raises(UserError) as error:
        find_recipes(selectors, [])
    return str(error.value)


ALL = ["big@int8-32", "big@int8-128", "big@int4-32", "big@int4-128"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("nano", ["nano"]),
        ("big", ALL),
        ("big@int4-32", ["big@int4-32"]),
        ("recipes/big.yaml", ALL),
        ("recipes/big.yaml@int4-32", ["big@int4-32"]),
        ("recipes/big.yaml@int4-*", ALL[2:]),
        ("big@int8-*", ALL[:2]),
        ("bi[g]", ALL),
        ("nano*", ["nano", "nano-x"]),
        ("n*@*", None),
        ("[!b]*", ["nano", "nano-x"]),
        ("big@*-32", ["big@int8-32", "big@int4-32"]),
        ("BIG*", None),
    ],
)
def test_selector_means(selector: str, names: list[str] | None) -> None:
    if names is None:
        assert refuse(selector).startswith(f"`{selector}`: no recipe has such a name; there are ")
    else:
        assert find(selector) == names


def test_same_recipe_counts_once_where_it_comes_first() -> None:
    assert find("nano", "big@int4-32", "recipes/nano.yaml", "big", "./recipes/../recipes/big.yaml@int8-32") == [
        *("nano", "big@int4-32"),
        *("big@int8-32", "big@int8-128", "big@int4-128"),
    ]


def test_broken_recipe_counts_where_a_pattern_could_mean_it() -> None:
    for pattern in ("b*", "*@int8-32", "bad@*", "*"):
        faults: list[Fault] = []
        find_recipes([pattern], faults)
        assert [fault.place.file for fault in faults] == ["recipes/bad.yaml"], pattern


def test_file_comes_before_the_variant_of_its_name(folder: Path) -> None:
    (folder / "recipes/big@int8-128.yaml").write_text("own: 1\n")
    for selector in ("big", "big@*", "big@int8-128"):
        faults: list[Fault] = []
        found = find_recipes([selector], faults)
        (own,) = [each for each in found if each.name == "big@int8-128"]
        assert own.path == Path("recipes/big@int8-128.yaml")
        assert len(found) == (1 if selector == "big@int8-128" else 4)
    assert find_one("recipes/big.yaml@int8-128").path == Path("recipes/big.yaml")


def test_variants_changes_lie_over_the_whole_recipe(folder: Path) -> None:
    (folder / "recipes/base.yaml").write_text("q: {s: none, e: 1}\nmatrix: {a: {q: {e: 2}}, b: {}}\n")
    (folder / "recipes/top.yaml").write_text("extends: base.yaml\nq: {s: int8}\nmatrix: {b: null, c: {q: null}}\n")
    assert find("top") == ["top@a", "top@c"]
    assert find_one("top@a").whole.plain() == {"q": {"s": "int8", "e": 2}}
    assert find_one("top@c").whole.plain() == {"q": None}


def test_variant_without_a_value_that_deletes_nothing_is_one_line(folder: Path) -> None:
    (folder / "recipes/top.yaml").write_text("matrix:\n  fp32:\n  int8: {}\n")
    faults: list[Fault] = []
    find_recipes(["top"], faults)
    assert [str(fault) for fault in faults] == [
        "recipes/top.yaml:2:3: deletes a variant that no parent has; for one that changes nothing write `{}` behind it"
    ]


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("big@int8-12", "`big@int8-12`: `recipes/big.yaml` has no variant `int8-12`; did you mean `int8-128`?"),
        (
            "big@x",
            "`big@x`: `recipes/big.yaml` has no variant `x`; there are `int8-32`, `int8-128`, `int4-32`, `int4-128`",
        ),
        (
            "big@",
            "`big@`: `recipes/big.yaml` has no variant ``; there are `int8-32`, `int8-128`, `int4-32`, `int4-128`",
        ),
        ("nano@x", "`nano@x`: `recipes/nano.yaml` has no variant `x`; it has no `matrix`"),
        ("bigg@int8", "`bigg@int8`: there is no `recipes/bigg.yaml`; did you mean `big`?"),
        ("a/b.yaml@c", "a/b.yaml@c: there is no such recipe"),
        ("recipes/big.yaml@x/y", "recipes/big.yaml@x/y: there is no such recipe"),
        ("z*", "`z*`: no recipe has such a name; there are `bad`, `big`, `nano`, `nano-x`"),
    ],
)
def test_reference_that_means_nothing_is_one_line(selector: str, message: str) -> None:
    assert refuse(selector) == message


def test_one_recipe_where_several_are_meant_is_one_line() -> None:
    with pytest.raises(UserError) as error:
        find_one("big")
    names = "`big@int8-32`, `big@int8-128`, `big@int4-32`, `big@int4-128`"
    assert str(error.value) == f"`big`: selects several recipes, and one is needed; there are {names}"


def test_list_of_many_names_ends(folder: Path) -> None:
    axis = ", ".join(f"v{number}: {{}}" for number in range(100))
    (folder / "recipes/many.yaml").write_text(f"matrix: {{{axis}}}\n")
    assert refuse("many@*x").endswith("`many@v23` and 76 more")


def test_owner_of_a_name_is_a_file_or_a_variant() -> None:
    owners = {name: find_owner(name) for name in ("nano", "big", "big@int8-32", "big@x", "new", "nano@x", "bad@x")}
    assert {name: str(path) for name, path in owners.items() if path} == {
        "nano": "recipes/nano.yaml",
        "big": "recipes/big.yaml",
        "big@int8-32": "recipes/big.yaml",
    }
