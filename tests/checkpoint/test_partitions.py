"""A tensor that TensorFlow saved in partitions comes out whole, and partitions that do not fit are one line."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2forge.checkpoint.tf1.bundle_index import Slice
from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.checkpoint.tf1.slice_key import encode_signed, encode_slice
from gpt2forge.errors import UserError
from tests.checkpoint.table_writer import make_entry, make_field, make_table
from tests.checkpoint.test_damage import damage
from tests.checkpoint.test_read_tf1 import INDEX, SHARD, assert_equal_bits, gather, load, refusal
from tests.checkpoint.tiny import DATA, Shape, list_openai_shapes, make_values, translate

WTE = "model/wte"
SHAPE = (260, 8)
BYTES = 4 * 260 * 8


@pytest.mark.parametrize("name", ["partitioned", "scoped"])
def test_partitions_that_tensorflow_wrote_come_out_whole(name: str) -> None:
    contents = load(DATA / name)
    tensors = {tensor.name: tensor for tensor in contents.tensors}
    for openai, lengths in list_openai_shapes(Shape()).items():
        tensor = tensors[translate(openai)]
        assert_equal_bits(gather(tensor), make_values(openai, lengths).reshape(tensor.shape))


def test_partitioned_slots_under_a_scope_are_left_out_whole() -> None:
    contents = load(DATA / "scoped")
    left_out = {tensor.name: tensor.nbytes for tensor in contents.left_out}
    assert len(left_out) == 3 + 2 * len(contents.tensors)
    assert left_out["tower/model/wte/Adam"] == left_out["tower/model/wte/Adam_1"] == BYTES
    assert contents.step == 77
    assert sum(tensor.make is not None for tensor in contents.tensors) > len(contents.tensors) / 2


@pytest.fixture
def partitioned(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "partitioned", tmp_path / "partitioned"))


def test_changed_partition_is_noticed(partitioned: Path) -> None:
    path = partitioned / SHARD
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert refusal(partitioned) == (
        f"{path}: the checksum of `transformer.wte.weight` does not match; copy the file there again"
    )


def make_slice(extents: Slice) -> bytes:
    """Make the field of a BundleEntryProto that holds a partition."""
    parts = (make_field(1, make_field(1, start) + make_field(2, length)) for start, length in extents)
    return make_field(7, b"".join(parts))


@pytest.mark.parametrize(
    ("cuts", "fault"),
    [
        ([((0, 130), (0, 8)), ((140, 120), (0, 8))], "none begins at 130"),
        ([((0, 130), (0, 8)), ((100, 160), (0, 8))], "none begins at 130"),
        ([((0, 130), (0, 8))], "they end at 130 of 260"),
        ([((0, 130), (0, 8)), ((130, 1 << 60), (0, 8))], "they end at 1152921504606847106 of 260"),
        ([((0, 130), (0, 4)), ((130, 130), (4, 4))], "along 2 axes"),
        ([((0, 130),)], "one has 1 axes, not 2"),
        ([((0, 100), (0, 8)), ((100, 160), (0, 8))], "the one of the shape [100, 8] is missing"),
        ([((0, 0), (0, 8)), ((0, 260), (0, 8))], "none begins at 0"),
    ],
)
def test_partitions_that_do_not_fit_are_one_line(partitioned: Path, cuts: list[Slice], fault: str) -> None:
    entries = dict(read_table((partitioned / INDEX).read_bytes()))
    entries[WTE.encode()] = make_entry(1, SHAPE, 0, 0, 0) + b"".join(map(make_slice, cuts))
    (partitioned / INDEX).write_bytes(make_table(sorted(entries.items())))
    assert refusal(partitioned) == (
        f"{partitioned / INDEX}: `model/wte` was saved in partitions, but {fault}; save it again"
    )


def test_partition_of_another_shape_is_refused(partitioned: Path) -> None:
    entries = dict(read_table((partitioned / INDEX).read_bytes()))
    key = encode_slice(WTE, ((0, 130), (0, 8)))
    assert key in entries
    entries[key] = make_entry(1, (8, 130), 0, 0, BYTES // 2)
    (partitioned / INDEX).write_bytes(make_table(sorted(entries.items())))
    assert refusal(partitioned).endswith("but the one of the shape [130, 8] has another shape or type; save it again")


def test_two_models_in_scopes_are_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA / "openai", tmp_path / "openai"))
    entries = dict(read_table((folder / INDEX).read_bytes()))
    both = {(scope + key) if key else key: value for key, value in entries.items() for scope in (b"a/", b"b/")}
    (folder / INDEX).write_bytes(make_table(sorted(both.items())))
    assert refusal(folder) == (
        f"{folder / INDEX}: holds 2 models, `a/model/wte`, `b/model/wte`; save one of them by itself"
    )


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "80"), (-1, "7f"), (63, "bf"), (64, "c040"), (-64, "40"), (8191, "dfff"), (8192, "e02000"), (-8193, "1fdfff")],
)
def test_signed_numbers_sort_as_their_bytes(number: int, encoded: str) -> None:
    assert encode_signed(number).hex() == encoded
    assert encode_signed(number) < encode_signed(number + 1)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_entry_of_partitions_ends_in_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(DATA / "partitioned", Path(name) / "model"))
        entries = dict(read_table((folder / INDEX).read_bytes()))
        key = data.draw(st.sampled_from([key for key in entries if WTE.encode() in key]))
        changed = damage(key, data) if data.draw(st.booleans()) else key
        content = entries.pop(key)
        entries[changed] = damage(content, data)
        (folder / INDEX).write_bytes(make_table(sorted(entries.items())))
        try:
            tensors = load(folder).tensors
            assert len([gather(tensor) for tensor in tensors]) == 28
        except UserError as error:
            assert str(error) and "\n" not in str(error)
