"""Recipe files are parsed once, and again as soon as they may have changed."""

import os
import time
from pathlib import Path

from gpt2forge.recipe import documents
from gpt2forge.recipe.documents import recall_document
from gpt2forge.recipe.merge import compose_document
from gpt2forge.store.stat_cache import TICK


def write_settled(path: Path, text: str) -> None:
    path.write_text(text)
    time.sleep(2 * TICK / 1e9)


def test_file_is_parsed_once(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_settled(path, "name: a\n")
    assert recall_document(path) is recall_document(path)


def test_change_of_the_same_size_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_settled(path, "name: a\n")
    before = path.stat()
    assert recall_document(path).plain() == {"name": "a"}
    path.write_text("name: b\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert recall_document(path).plain() == {"name": "b"}


def test_file_that_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\n")
    recall_document(path)
    assert path not in documents.parsed


def test_composing_changes_no_remembered_document(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent.yaml", tmp_path / "child.yaml"
    write_settled(parent, "target: {device: cpu}\n")
    write_settled(child, "name: child\nextends: parent.yaml\n")
    first, again = (compose_document(child).plain() for _ in range(2))
    assert first == again == {"target": {"device": "cpu"}, "name": "child"}


def test_places_name_the_path_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write_settled(path, "name: a\n")
    for given in (path, tmp_path / "." / ".." / tmp_path.name / "a.yaml"):
        assert recall_document(given).place.file == str(given)
