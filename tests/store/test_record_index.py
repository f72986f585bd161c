"""The index says of records what they say themselves, whoever writes, is killed, or damages it."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.digest import digest_value
from gpt2forge.store import record_index
from gpt2forge.store.record_index import IndexEntry, append_lines, format_line, read_index, withdraw
from gpt2forge.store.records import LocalRecords, Record
from tests.store.made import make_record

STAGE = "convert"


def make(number: int, created: float = 0.0, digest: str = "1" * 64) -> Record:
    pre_image = {"stage": STAGE, "section": {"number": number}, "code": {f"module{i}": digest for i in range(20)}}
    record = make_record(digest)
    return replace(record, key=digest_value(number), pre_image=pre_image, created=number + created, seconds=number / 3)


def find_path(root: Path) -> Path:
    return root / "records" / STAGE / record_index.NAME


def check(root: Path, is_read_only: bool = False) -> None:
    """Assert that the index and the records say the same."""
    records = LocalRecords(root, is_read_only)
    found = sorted(records.index(STAGE).list_all())
    assert found == sorted(record.entry for record in records.list(STAGE))
    index = records.index(STAGE)
    assert sorted(index.list_newest(len(found))) == found
    for entry in found:
        assert entry in index.list_alike(entry.parts, entry.parts[0].partition("=")[0])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    records = LocalRecords(tmp_path)
    for number in range(4):
        records.write(make(number))
    return tmp_path


def test_index_says_what_the_records_say(root: Path) -> None:
    assert len(read_index(find_path(root).parent).lines) == 4
    check(root)
    LocalRecords(root).write(make(2, created=7.5, digest="2" * 64))
    check(root)


def cut_off(root: Path) -> None:
    data = find_path(root).read_bytes()
    find_path(root).write_bytes(data[: len(data) - 50])


def remove_index(root: Path) -> None:
    find_path(root).unlink()


def remove_record(root: Path) -> None:
    LocalRecords(root).place(STAGE, make(1).key).unlink()


def add_unindexed(root: Path) -> None:
    LocalRecords(root).place(STAGE, make(9).key).write_bytes(make(9).to_bytes())


def add_made_up(root: Path) -> None:
    """Add records that no build writes, with their checksums right."""
    odd = replace(make(7), pre_image={"a\tb=\n\ud800": "\ud800", "": None, "=": "#" + "1" * 64})
    for record in (odd, replace(make(8), created=10**400), replace(make(6), seconds=True)):
        LocalRecords(root).place(STAGE, record.key).write_bytes(record.to_bytes())


def kill_before_record(root: Path) -> None:
    withdraw(find_path(root).parent, make(1).key)


def kill_before_line(root: Path) -> None:
    withdraw(find_path(root).parent, make(1).key)
    LocalRecords(root).place(STAGE, make(1).key).write_bytes(make(1, created=2.0, digest="3" * 64).to_bytes())


def append_late(root: Path) -> None:
    """Append the line of a record that was replaced since, as a slow process does that made the index."""
    LocalRecords(root).write(make(1, created=2.0, digest="3" * 64))
    append_lines(find_path(root).parent, [format_line(make(1).entry)])


def append_nonsense(root: Path) -> None:
    append_lines(find_path(root).parent, ["", "a\tb", "a\tb\tc\td\te", make(1).key + "\tx\ty\tz"])


def put_folder(root: Path) -> None:
    find_path(root).unlink()
    find_path(root).mkdir()


def put_pipe(root: Path) -> None:
    find_path(root).unlink()
    os.mkfifo(find_path(root))


def put_link(root: Path) -> None:
    (root / "elsewhere").write_text("kept")
    find_path(root).unlink()
    find_path(root).symlink_to(root / "elsewhere")


HARMS = (
    cut_off,
    remove_index,
    remove_record,
    add_unindexed,
    add_made_up,
    kill_before_record,
    kill_before_line,
    append_late,
)


@pytest.mark.parametrize(
    "harm", [*HARMS, append_nonsense, put_folder, put_pipe, put_link], ids=lambda harm: harm.__name__
)
def test_harmed_index_says_what_the_records_say(root: Path, harm: Callable[[Path], None]) -> None:
    harm(root)
    check(root, is_read_only=True)
    check(root)
    check(root)
    for number in (5, 1):
        LocalRecords(root).write(make(number, created=9.0))
        check(root)
    assert harm is not put_link or (root / "elsewhere").read_text() == "kept"


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_damaged_line_counts_as_none(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    folder = tmp_path_factory.mktemp("index")
    entries = [make(number).entry for number in range(3)]
    append_lines(folder, map(format_line, entries))
    data = bytearray((folder / record_index.NAME).read_bytes())
    data[place % len(data)] ^= 1 << bit
    (folder / record_index.NAME).write_bytes(data)
    found = {entry.key: entry._replace(stage=STAGE) for entry in read_index(folder).list_all()}
    assert found.items() <= {entry.key: entry for entry in entries}.items()


def test_query_leaves_the_index_as_it_is(root: Path) -> None:
    add_unindexed(root)
    before = find_path(root).read_bytes()
    assert len(LocalRecords(root, is_read_only=True).index(STAGE).lines) == 5
    assert find_path(root).read_bytes() == before
    assert len(LocalRecords(root).index(STAGE).lines) == 5
    assert len(read_index(find_path(root).parent).lines) == 5


def test_writers_at_once_lose_no_line(tmp_path: Path) -> None:
    folder = find_path(tmp_path).parent
    folder.mkdir(parents=True)
    lines = [format_line(make(number).entry) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda line: append_lines(folder, [line]), lines))
    assert len(read_index(folder).lines) == 200


def test_index_with_too_many_lines_is_made_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_index, "FEWEST", 8)
    folder = find_path(root).parent
    append_lines(folder, [format_line(make(1).entry)] * 30)
    check(root)
    assert len(find_path(root).read_bytes().split()) < 50
    assert isinstance(read_index(folder).list_all()[0], IndexEntry)
