"""The entries of a LevelDB table come back as written, and a damaged table is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2forge.checkpoint.tf1.leveldb import LARGEST_KEYS, mask, read_table, unmask
from tests.checkpoint.table_writer import make_block, make_footer, make_table, make_varint, seal
from tests.checkpoint.tiny import DATA

ENTRIES = [(b"", b"header"), (b"model/h0/a", b"1"), (b"model/h0/b", b"2" * 200), (b"model/h1", b""), (b"z", b"3")]


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=300)), st.integers(1, 5), st.integers(1, 5))
def test_entries_come_back_as_written(entries: dict[bytes, bytes], per_block: int, restart: int) -> None:
    ordered = sorted(entries.items())
    assert list(read_table(make_table(ordered, per_block, restart))) == ordered


@given(st.integers(0, (1 << 32) - 1))
def test_masked_checksum_can_be_unmasked(crc: int) -> None:
    assert unmask(mask(crc)) == crc


def test_tensorflow_index_is_a_table() -> None:
    keys = [key for key, _ in read_table((DATA / "run1/model-1000.index").read_bytes())]
    assert keys[:3] == [b"", b"beta1_power", b"beta2_power"]
    assert keys == sorted(keys)
    assert len(keys) == 1 + 3 * 28 + 3


@given(st.data())
def test_changed_byte_never_gives_other_entries(data: st.DataObject) -> None:
    table = bytearray(make_table(ENTRIES))
    at = data.draw(st.integers(0, len(table) - 1))
    table[at] ^= data.draw(st.integers(1, 255))
    try:
        assert list(read_table(bytes(table))) == ENTRIES
    except ValueError as error:
        assert str(error)


@given(st.integers(0, 300))
def test_cut_off_table_is_refused(length: int) -> None:
    table = make_table(ENTRIES)
    with pytest.raises(ValueError):
        list(read_table(table[: min(length, len(table) - 1)]))


@pytest.mark.parametrize(("compression", "name"), [(1, "snappy"), (2, "zlib"), (4, "zstd"), (9, "9")])
def test_compressed_block_is_refused_by_name(compression: int, name: str) -> None:
    with pytest.raises(ValueError, match=rf"a block is compressed \({name}\), which is not supported"):
        list(read_table(make_table(ENTRIES, compression=compression)))


def test_keys_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="its keys are out of order or too many"):
        list(read_table(make_table([(b"b", b""), (b"a", b"")])))


def test_block_that_the_index_names_again_and_again_is_refused() -> None:
    block = make_block([], 1)
    handle = make_varint(0) + make_varint(len(block))
    index_block = make_block([(bytes([number]), handle) for number in range(100)], 1)
    table = seal(block, 0)
    footer = make_footer(handle + make_varint(len(table)) + make_varint(len(index_block)))
    with pytest.raises(ValueError, match="the block at 0 overlaps the one before"):
        list(read_table(table + seal(index_block, 0) + footer))


def test_prefixes_that_unfold_to_more_than_memory_are_refused() -> None:
    key = b"k" * 4000
    entries = [(key + number.to_bytes(2, "big"), b"") for number in range(LARGEST_KEYS // 4000 + 1)]
    with pytest.raises(ValueError, match="its keys are out of order or too many"):
        list(read_table(make_table(entries, per_block=10_000, restart=10_000)))


def test_key_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="is cut off or its key is too long"):
        list(read_table(make_table([(b"k" * 5000, b"")])))


@given(st.binary(max_size=200))
def test_any_block_is_entries_or_a_value_error(block: bytes) -> None:
    handle = make_varint(0) + make_varint(len(block))
    index_block = make_block([(b"", handle)], 1)
    table = seal(block, 0)
    footer = make_footer(handle + make_varint(len(table)) + make_varint(len(index_block)))
    with contextlib.suppress(ValueError):
        list(read_table(table + seal(index_block, 0) + footer))
