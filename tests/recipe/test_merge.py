"""Tests of merging documents."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.errors import Place, UserError
from gpt2forge.recipe.merge import change_document, compose_document, drop_nulls, merge, read_chain
from gpt2forge.recipe.yaml import Node

HERE = Place("x", 1, 1)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
trees = st.recursive(
    scalars | st.lists(scalars, max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)
sections = st.dictionaries(
    st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), scalars, max_size=3), max_size=3
)


def locate(value: Any) -> Node:
    if isinstance(value, dict):
        return Node({key: locate(child) for key, child in value.items()}, HERE)
    return Node([locate(child) for child in value] if isinstance(value, list) else value, HERE)


def combine(*values: Any) -> Any:
    node = locate(values[0])
    for value in values[1:]:
        node = merge(node, locate(value))
    return node.plain()


@given(documents)
def test_merging_with_nothing_or_with_itself_changes_nothing(document: Any) -> None:
    assert combine({}, document) == combine(document, {}) == combine(document, document) == document


@given(sections, sections, sections)
def test_a_chain_may_be_merged_from_either_end(a: Any, b: Any, c: Any) -> None:
    assert combine(combine(a, b), c) == combine(a, combine(b, c))


@given(documents, documents)
def test_file_on_top_wins(below: Any, above: Any) -> None:
    merged = combine(below, above)
    for key, value in above.items():
        if not isinstance(value, dict) or not isinstance(below.get(key), dict):
            assert merged[key] == value
    for key, value in below.items():
        if key not in above:
            assert merged[key] == value


@given(documents)
def test_no_null_is_left(document: Any) -> None:
    def nulls(value: Any) -> bool:
        return value is None or (isinstance(value, dict) and any(nulls(child) for child in value.values()))

    assert not nulls(drop_nulls(locate(document)).plain())


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def compose(path: Path, *changes: str) -> Any:
    return drop_nulls(change_document(compose_document(path), changes)).plain()


def refuse(path: Path, *changes: str) -> str:
    """Return the message of a file that cannot be composed."""
    with pytest.raises(UserError) as error:
        compose(path, *changes)
    return str(error.value)


def test_extends_starts_at_the_file_it_stands_in(tmp_path: Path) -> None:
    write(tmp_path, "base/root.yaml", "a: {b: 1, c: [1, 2], d: 4}\ne: 5\n")
    write(tmp_path, "base/middle.yaml", "extends: root.yaml\na: {c: [3]}\n")
    path = write(tmp_path, "top.yaml", "extends: base/middle.yaml\na: {b: 9, d: null}\ne: null\n")
    assert compose(path) == {"a": {"b": 9, "c": [3]}}
    assert compose_document(path).nearest(("a", "c")).place == Place(str(tmp_path / "base/middle.yaml"), 2, 5)


def test_later_parent_wins_and_the_file_over_all(tmp_path: Path) -> None:
    write(tmp_path, "base/one.yaml", "a: {x: 1, y: 1, z: 1}\nb: 1\n")
    write(tmp_path, "two.yaml", "a: {y: 2, z: 2}\nb: null\n")
    path = write(tmp_path, "top.yaml", "extends: [base/one.yaml, two.yaml]\na: {z: 3}\n")
    assert compose(path) == {"a": {"x": 1, "y": 2, "z": 3}}
    assert [file.name for file, _ in read_chain(path)] == ["top.yaml", "two.yaml", "one.yaml"]


def test_file_that_two_parents_extend_counts_once_below_both(tmp_path: Path) -> None:
    write(tmp_path, "root.yaml", "a: 0\nb: 0\nc: 0\n")
    write(tmp_path, "left.yaml", "extends: root.yaml\na: 1\nc: 1\n")
    write(tmp_path, "right.yaml", "extends: ./root.yaml\nb: 2\nc: 2\n")
    path = write(tmp_path, "top.yaml", "extends:\n  - left.yaml\n  - right.yaml\n")
    assert compose(path) == {"a": 1, "b": 2, "c": 2}
    assert [file.name for file, _ in read_chain(path)] == ["top.yaml", "right.yaml", "left.yaml", "root.yaml"]


def test_many_diamonds_are_read_in_no_time(tmp_path: Path) -> None:
    write(tmp_path, "0.yaml", "a: 0\n")
    for number in range(1, 24):
        write(tmp_path, f"{number}x.yaml", f"extends: {number - 1}.yaml\n")
        write(tmp_path, f"{number}.yaml", f"extends: [{number - 1}.yaml, {number}x.yaml]\n")
    assert len(read_chain(tmp_path / "23.yaml")) == 47  # by every way there are 2 ** 23


def test_cycle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "extends: b.yaml\n")
    path = write(tmp_path, "b.yaml", "# why\nextends: a.yaml\n")
    message = "`extends: b.yaml` leads back to this file; remove one of the `extends` of this cycle"
    assert refuse(path) == f"{tmp_path / 'a.yaml'}:1:1: {message}"


def test_cycle_through_a_list_is_told_at_its_entry(tmp_path: Path) -> None:
    write(tmp_path, "good.yaml", "a: 1\n")
    write(tmp_path, "a.yaml", "extends:\n  - good.yaml\n  - b.yaml\n")
    path = write(tmp_path, "b.yaml", "extends: [good.yaml, a.yaml]\n")
    message = "`extends: b.yaml` leads back to this file; remove one of the `extends` of this cycle"
    assert refuse(path) == f"{tmp_path / 'a.yaml'}:3:5: {message}"


def test_chain_without_end_is_one_line(tmp_path: Path) -> None:
    for number in range(400):
        write(tmp_path, f"{number}.yaml", f"extends: {number + 1}.yaml\n")
    assert refuse(tmp_path / "0.yaml") == (
        f"{tmp_path / '32.yaml'}:1:1: `extends: 33.yaml`: a chain of more than 32 files"
    )


def test_missing_parent_is_named_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "extends: nowhere.yaml\n")
    assert refuse(path) == f"{path}:1:1: `extends: nowhere.yaml`: there is no file `{tmp_path / 'nowhere.yaml'}`"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("extends: []", ["1:1"]),
        ("extends: 3", ["1:1"]),
        ("extends: {a: b}", ["1:1"]),
        ("extends: [b.yaml, 3, null]", ["1:19", "1:22"]),
        ("extends:\n- b.yaml\n- [b.yaml]", ["3:3"]),
    ],
)
def test_parent_that_is_no_path_is_told_at_its_place(tmp_path: Path, text: str, places: list[str]) -> None:
    write(tmp_path, "b.yaml", "b: 1\n")
    path = write(tmp_path, "a.yaml", f"{text}\n")
    message = "`extends` is the path of a recipe file, or a list of such paths"
    assert refuse(path).splitlines() == [f"{path}:{place}: {message}" for place in places]


def test_change_comes_last_and_null_deletes(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1, c: 2}\nf: {g: 1}\n")
    changes = ("a.b=3", "a.c=null", "d.e=[x]", "~f.g")
    assert compose(path, *changes) == {"a": {"b": 3}, "d": {"e": ["x"]}, "f": {}}


def test_mapping_can_be_set_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1, c: 2}\n")
    assert compose(path, "a={b: 3, d: 4}", "e={}") == {"a": {"b": 3, "c": 2, "d": 4}, "e": {}}


def test_deleting_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1}\nd: null\n")
    for change in ("a.c=null", "b=null", "b.c=null", "d=null", "a.b.c=null"):
        assert refuse(path, change) == f"--set {change}: there is nothing to delete; give a value"
    assert refuse(path, "~a.bb") == "--set ~a.bb: there is nothing to delete; did you mean `b`?"
    assert refuse(path, "~scheme") == "--set ~scheme: there is nothing to delete; there is `a`"
    assert refuse(path, "a.b=null", "~a.b") == "--set ~a.b: there is nothing to delete"


@pytest.mark.parametrize("change", ["a.b=", "a.b= "])
def test_change_without_a_value_is_an_error(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1}\n")
    assert refuse(path, change) == ("--set a.b=: has no value; write one, or `--set ~a.b` to delete what a file sets")


def test_what_a_recipe_extends_and_its_variants_cannot_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\n")
    assert refuse(path, "extends=b").startswith("--set extends=b: only a recipe's file can say what it extends")
    assert refuse(path, "matrix.x=b").startswith("--set matrix.x=b: only a recipe's file can say which variants it has")
    assert refuse(path, "~matrix").startswith("--set ~matrix: only a recipe's file can say which variants it has")


@pytest.mark.parametrize("change", ["a", "=1", "a..b=1", ".a=1"])
def test_change_that_is_none_is_one_line(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\n")
    assert refuse(path, change) == f"--set {change}: write it as `--set section.key=value`"


@pytest.mark.parametrize("change", ["~", "~a=1", "~a.", "~a="])
def test_deletion_that_is_none_is_one_line(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\n")
    assert refuse(path, change) == f"--set {change}: write it as `--set ~section.key`"
