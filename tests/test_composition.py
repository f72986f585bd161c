"""How documents merge."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.composition import compose_document, drop_nulls, merge
from gpt2forge.document import Node
from gpt2forge.errors import Place, UserError

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


def test_extends_starts_at_the_file_it_stands_in(tmp_path: Path) -> None:
    write(tmp_path, "base/root.yaml", "a: {b: 1, c: [1, 2], d: 4}\ne: 5\n")
    write(tmp_path, "base/middle.yaml", "extends: root.yaml\na: {c: [3]}\n")
    path = write(tmp_path, "top.yaml", "extends: base/middle.yaml\na: {b: 9, d: null}\ne: null\n")
    assert compose_document(path).plain() == {"a": {"b": 9, "c": [3]}}
    assert compose_document(path).nearest(("a", "c")).place == Place(str(tmp_path / "base/middle.yaml"), 2, 5)


def test_cycle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "extends: b.yaml\n")
    path = write(tmp_path, "b.yaml", "# why\nextends: a.yaml\n")
    with pytest.raises(UserError) as error:
        compose_document(path)
    assert (
        str(error.value)
        == f"{tmp_path / 'a.yaml'}:1:1: `extends: b.yaml` leads back to this file; a cycle has no result"
    )


def test_missing_parent_is_named_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "extends: nowhere.yaml\n")
    with pytest.raises(UserError) as error:
        compose_document(path)
    assert str(error.value) == f"{path}:1:1: `extends: nowhere.yaml`: there is no file `{tmp_path / 'nowhere.yaml'}`"


def test_change_comes_last_and_null_deletes(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1, c: 2}\n")
    assert compose_document(path, ["a.b=3", "a.c=null", "d.e=[x]"]).plain() == {"a": {"b": 3}, "d": {"e": ["x"]}}


def test_deleting_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: {b: 1}\n")
    for change in ("a.c=", "b=null", "b.c="):
        with pytest.raises(UserError) as error:
            compose_document(path, [change])
        assert str(error.value) == f"--set {change}: there is nothing to delete; give a value"


def test_what_a_recipe_extends_cannot_be_set(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\n")
    with pytest.raises(UserError, match="--set extends=b: what a recipe extends is decided in its file"):
        compose_document(path, ["extends=b"])


@pytest.mark.parametrize("change", ["a", "=1", "a..b=1", ".a=1"])
def test_change_that_is_none_is_one_line(tmp_path: Path, change: str) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\n")
    with pytest.raises(UserError) as error:
        compose_document(path, [change])
    assert str(error.value) == f"--set {change}: write it as `--set section.key=value`"
