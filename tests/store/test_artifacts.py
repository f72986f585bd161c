"""The files of an artifact come out as they went in, and any damage is noticed."""

import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2forge.digest import Written, digest_bytes
from gpt2forge.store.artifacts import Artifacts, LocalArtifacts
from gpt2forge.store.manifest import Manifest, parse_manifest
from gpt2forge.store.store import Store
from tests.store.made import KEY, put
from tests.store.memory import MemoryArtifacts

part = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: text not in (".", "..") and "\\" not in text
)
names = st.lists(part, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(names, st.binary(max_size=100), min_size=1, max_size=5)


def read_manifest(store: Store, digest: str) -> Manifest:
    return LocalArtifacts(store.root, store.stat_cache).read_manifest(digest)


def check(store: Store, digest: str) -> bool:
    """Do what a build does with an artifact: clear a damaged one; return whether it can be used."""
    store.artifacts.clear_damaged(digest)
    return store.artifacts.is_whole(digest)


def fits(files: dict[str, bytes]) -> bool:
    """Return whether no name is a folder of another one."""
    return not any(other.startswith(name + "/") for name in files for other in files)


@settings(max_examples=40)
@given(trees.filter(fits))
def test_files_come_out_as_they_went_in(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        digest = put(store, files)
        assert {name: (store.artifacts.folder(digest) / name).read_bytes() for name in files} == files
        assert check(store, digest)
        assert put(store, files) == digest
        assert parse_manifest(read_manifest(store, digest).to_json()) == read_manifest(store, digest)


def test_a_vouched_file_is_not_read_and_a_wrong_word_is_found(tmp_path: Path) -> None:
    store, right, wrong = Store(tmp_path), digest_bytes(b"some bytes"), digest_bytes(b"others")
    found = {}
    for digest in (right, wrong):
        folder = store.make_workspace(KEY)
        (folder / "some").write_bytes(b"some bytes")
        found[digest] = store.artifacts.commit(folder, {"some": vouch(folder / "some", digest)})
        assert read_manifest(store, found[digest]).files["some"].digest == digest
    assert found[right] == put(store, {"some": b"some bytes"})
    assert store.artifacts.is_sound(found[right])
    assert not store.artifacts.is_sound(found[wrong])


def test_a_file_that_was_written_into_since_is_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.make_workspace(KEY)
    (folder / "some").write_bytes(b"some bytes")
    told = vouch(folder / "some", digest_bytes(b"some bytes"))
    (folder / "some").write_bytes(b"more bytes")
    os.utime(folder / "some", ns=(told.mtime_ns + 1, told.mtime_ns + 1))
    digest = store.artifacts.commit(folder, {"some": told})
    assert read_manifest(store, digest).files["some"].digest == digest_bytes(b"more bytes")


def vouch(path: Path, digest: str) -> Written:
    return Written(digest, path.stat().st_size, path.stat().st_mtime_ns)


@settings(max_examples=40)
@given(trees.filter(fits), st.data())
def test_one_changed_byte_is_noticed(files: dict[str, bytes], data: st.DataObject) -> None:
    files = {**files, "some": b"some bytes"}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        digest = put(store, files)
        path = store.artifacts.folder(digest) / "some"
        place = data.draw(st.integers(0, 9))
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.chmod(0o644)
        path.write_bytes(content)
        assert not check(store, digest)
        assert not store.artifacts.folder(digest).exists()


def test_several_that_find_one_damaged_artifact_agree(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(5):
        path = store.artifacts.folder(put(store, {"a": b"1" * 100_000})) / "a"
        path.chmod(0o644)
        path.write_bytes(b"2")
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(partial(check, store), [path.parent.name] * 4)) == [False] * 4
        assert not path.parent.exists()


def test_added_and_missing_files_are_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("a", "new"):
        digest = put(store, {"a": b"1", "b": b"2"})
        folder = store.artifacts.folder(digest)
        folder.chmod(0o755)
        if name == "new":
            (folder / name).write_bytes(b"3")
        else:
            (folder / name).unlink()
        assert not check(store, digest)


def test_files_of_an_artifact_are_read_only_and_have_one_link(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = Store(tmp_path).artifacts.folder(put(Store(tmp_path), {"a/b": b"1"}))
    assert (folder / "a/b").stat().st_mode & 0o777 == 0o444
    assert (folder / "a/b").stat().st_nlink == 1
    assert folder.stat().st_mode == tmp_path.stat().st_mode  # its owner can remove it


def test_equal_content_under_two_keys_is_kept_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digests = {put(store, {"a": b"1"}, key) for key in ("1" * 64, "2" * 64)}
    assert len(digests) == 1
    assert [path.name for path in (tmp_path / "artifacts").iterdir() if path.is_dir()] == list(digests)


def test_link_in_a_finished_folder_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.lock(KEY):
        folder = store.make_workspace(KEY)
        (folder / "a").symlink_to("/etc/passwd")
        with pytest.raises(ValueError, match="ordinary files only"):
            store.artifacts.commit(folder)


@pytest.mark.parametrize("make_artifacts", [lambda root: Store(root).artifacts, lambda root: MemoryArtifacts()])
def test_artifacts_of_both_kinds_keep_one_contract(tmp_path: Path, make_artifacts: Callable[[Path], Artifacts]) -> None:
    artifacts, folder = make_artifacts(tmp_path / "store"), tmp_path / "store/making/x"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(b"12")
    digest = artifacts.commit(folder)
    assert artifacts.is_whole(digest)
    assert artifacts.is_sound(digest)
    assert artifacts.measure(digest) == 2
    artifacts.clear_damaged(digest)
    assert artifacts.is_whole(digest)
    artifacts.evict(digest)
    assert artifacts.is_evicted(digest)
    assert not artifacts.is_whole(digest)
    assert artifacts.measure(digest) == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", ".", "a\\b", "", "a\0"])
def test_path_of_a_manifest_must_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="is not a plain relative path"):
        parse_manifest({path: {"sha256": "0" * 64, "size": 1}})


def test_manifest_that_was_exchanged_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = put(store, {"a": b"1"})
    path = store.artifacts.folder(digest).with_suffix(".json")
    path.write_text(json.dumps({"a": {"sha256": "0" * 64, "size": 1}}))
    assert not check(store, digest)
