"""The numbers and fields of protocol buffer messages."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.checkpoint.tf1.protobuf import as_signed, read_fields, read_varint
from tests.checkpoint.table_writer import make_field, make_varint


@given(st.integers(0, (1 << 64) - 1), st.binary(), st.binary())
def test_varint_comes_back_as_written(value: int, before: bytes, after: bytes) -> None:
    written = make_varint(value)
    assert read_varint(before + written + after, len(before)) == (value, len(before) + len(written))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 9, b"\xff" * 10, b"\xff" * 9 + b"\x02", b"\x80" * 1000])
def test_varint_that_is_cut_off_or_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no whole varint at byte 0"):
        read_varint(data, 0)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_negative_numbers_come_back(value: int) -> None:
    assert as_signed(read_varint(make_varint(value), 0)[0]) == value


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, (1 << 64) - 1) | st.binary(max_size=300))))
def test_fields_come_back_in_order(fields: list[tuple[int, int | bytes]]) -> None:
    assert list(read_fields(b"".join(make_field(*field) for field in fields))) == fields


def test_fixed_numbers_are_little_endian() -> None:
    assert list(read_fields(b"\x35\x01\x02\x00\x00\x31\x03\0\0\0\0\0\0\0")) == [(6, 513), (6, 3)]


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        list(read_fields(data))
