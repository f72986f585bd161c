"""A step exists once its record is written and its artifact is whole; looking it up changes nothing."""

from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.store import Store
from tests.store.made import KEY, make_record, put


def test_record_makes_the_artifact_exist(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = make_record(put(store, {"a": b"1"}))
    assert store.find("convert", KEY) is None
    store.records.write(record)
    assert store.find("convert", KEY) == record
    assert store.records.list("convert") == [record]
    assert store.find("export", KEY) is None


def test_look_up_leaves_a_damaged_artifact_and_clearing_puts_it_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.records.write(make_record(digest := put(store, {"a": b"1"})))
    store.clear_damaged("convert", KEY)
    assert store.find("convert", KEY) is not None
    path = store.artifacts.folder(digest) / "a"
    path.chmod(0o644)
    path.write_bytes(b"2")
    assert store.find("convert", KEY) is None
    assert path.read_bytes() == b"2"
    store.clear_damaged("convert", KEY)
    assert not path.parent.exists()
    assert (tmp_path / "damaged" / digest / "a").read_bytes() == b"2"


def test_evicted_artifact_is_known_until_it_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.records.write(record := make_record(put(store, {"a": b"1"})))
    assert store.find_evicted("convert", KEY) is None
    store.artifacts.evict(record.digest)
    assert store.find("convert", KEY) is None
    assert store.find_evicted("convert", KEY) == record
    put(store, {"a": b"1"})
    assert store.find_evicted("convert", KEY) is None
    assert store.find("convert", KEY) == record


def test_store_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as error, Store(tmp_path / "file").lock(KEY):
        pass
    assert str(error.value) == f"{tmp_path / 'file'}: cannot be a store: Not a directory; choose another with `--store`"


def test_refusal_to_write_names_the_file_that_was_meant(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.write_text("")
    with pytest.raises(OSError) as error:
        write_whole(place / "report.json", b"{}")
    assert error.value.filename == str(place / "report.json")
