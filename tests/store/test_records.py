"""Records carry a checksum of their own, and both kinds of Records keep one contract."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.digest import digest_value
from gpt2forge.store.records import LocalRecords, Records, parse_record
from tests.store.made import KEY, make_record
from tests.store.memory import MemoryRecords


@pytest.mark.parametrize("make_records", [LocalRecords, lambda root: MemoryRecords()])
def test_records_of_both_kinds_keep_one_contract(tmp_path: Path, make_records: Callable[[Path], Records]) -> None:
    records, old = make_records(tmp_path), make_record("1" * 64)
    new = replace(old, key="2" * 64, created=old.created + 1)
    for record in (old, new, old):
        records.write(record)
    assert records.find("convert", KEY) == old
    assert list(records.list("convert")) == [new, old]
    assert records.find("export", KEY) is None
    assert list(records.list("export")) == []


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_damaged_record_is_no_record(place: int, bit: int) -> None:
    record = make_record("1" * 64)
    data = bytearray(record.to_bytes())
    data[place % len(data)] ^= 1 << bit
    assert parse_record(bytes(data)) in (None, record)


def test_field_of_a_later_version_is_ignored() -> None:
    record = make_record("1" * 64)
    body = {**json.loads(record.to_bytes())["record"], "owner": {"name": "ci"}}
    assert parse_record(json.dumps({"sha256": digest_value(body), "record": body}).encode()) == record
    for damaged in (b"[]", b'{"record": []}', b'{"record": 1, "sha256": ""}'):
        assert parse_record(damaged) is None
