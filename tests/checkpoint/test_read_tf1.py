"""Checkpoints that TensorFlow wrote are read without TensorFlow, bit for bit."""

import json
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.errors import UserError
from interop.tensorflow_process import NO_WHEEL, read_checkpoints
from tests.checkpoint import tensorflow_writer
from tests.checkpoint.table_writer import make_entry, make_field, make_table
from tests.checkpoint.tiny import DATA, DEEP, Shape, list_openai_shapes, make_values, translate

INDEX, SHARD = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
WTE = b"model/wte"


def load(folder: Path) -> Contents:
    return read_checkpoint(find_checkpoint(folder))[1]


def gather(tensor: SourceTensor) -> np.ndarray:
    return np.concatenate([piece.copy() for piece in read_pieces(tensor)]).reshape(tensor.shape)


def assert_equal_bits(one: np.ndarray, other: np.ndarray) -> None:
    assert one.dtype == other.dtype == np.float32
    assert one.reshape(-1).view(np.uint32).tolist() == other.reshape(-1).view(np.uint32).tolist()


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        for tensor in load(folder).tensors:
            gather(tensor)
    assert "\n" not in str(error.value)
    return str(error.value)


def rewrite(folder: Path, changes: dict[bytes, bytes | None]) -> Path:
    """Replace entries of an index (None removes one) and write it again with checksums that match."""
    path = folder / INDEX
    entries = dict(read_table(path.read_bytes())) | changes
    path.write_bytes(make_table(sorted((key, value) for key, value in entries.items() if value is not None)))
    return path


@pytest.fixture
def openai(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / "openai", tmp_path / "openai"))


@pytest.mark.parametrize(("name", "shape"), [("openai", DEEP), ("run1", Shape())])
def test_float32_comes_out_bit_for_bit(name: str, shape: Shape) -> None:
    tensors = {tensor.name: tensor for tensor in load(DATA / name).tensors}
    expected = list_openai_shapes(shape)
    assert set(tensors) == {translate(openai) for openai in expected}
    for openai, lengths in expected.items():
        assert_equal_bits(gather(tensors[translate(openai)]), make_values(openai, lengths))


def test_half_and_bfloat16_in_three_shards_are_widened_exactly() -> None:
    tensors = {tensor.name: tensor for tensor in load(DATA / "mixed").tensors}
    for number, (openai, lengths) in enumerate(list_openai_shapes(Shape()).items()):
        narrow = (np.float32, np.float16, ml_dtypes.bfloat16)[number % 3]
        tensor = tensors[translate(openai)]
        assert tensor.dtype == ("F32", "F16", "BF16")[number % 3]
        assert_equal_bits(gather(tensor), make_values(openai, lengths).astype(narrow).astype(np.float32))


def test_tensors_are_in_the_order_of_the_weights_artifact() -> None:
    names = [tensor.name for tensor in load(DATA / "openai").tensors]
    assert names[:3] == ["transformer.wte.weight", "transformer.wpe.weight", "transformer.h.0.ln_1.weight"]
    assert names[-2:] == ["transformer.ln_f.weight", "transformer.ln_f.bias"]
    layers = [int(name.split(".")[2]) for name in names if ".h." in name]
    assert layers == sorted(layers)


def test_what_fine_tuning_left_is_left_out() -> None:
    contents = load(DATA / "run1")
    names = [tensor.name for tensor in contents.left_out]
    assert {"beta1_power", "beta2_power", "global_step", "model/wte/Adam", "model/wte/Adam_1"} <= set(names)
    assert len(names) == 3 + 2 * len(contents.tensors)
    assert contents.step == 1000


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_WHEEL), reason=NO_WHEEL)
def test_tensorflow_reads_the_same(tmp_path: Path) -> None:
    """Compare fresh and kept checkpoints with what tf.train.load_checkpoint reads."""
    fresh = tensorflow_writer.prepare(tmp_path, "large", "run1", "scoped")
    prefixes = [tmp_path / "large/model.ckpt", tmp_path / "run1/model-1000", DATA / "openai/model.ckpt"]
    prefixes += [DATA / "mixed/model.ckpt", DATA / "partitioned/model.ckpt", tmp_path / "scoped/model-77"]
    for prefix, found in zip(prefixes, read_checkpoints(*prefixes, after=[fresh]), strict=True):
        tensors = {tensor.name: tensor for tensor in load(prefix.parent).tensors}
        plain = {name.removeprefix("tower/"): values for name, values in found.items()}
        weights = {name: values for name, values in plain.items() if name.startswith("model/") and "Adam" not in name}
        theirs = {translate(name): values.astype(np.float32) for name, values in weights.items()}
        assert tensors.keys() == theirs.keys()
        for name, tensor in tensors.items():
            assert_equal_bits(gather(tensor), theirs[name].reshape(tensor.shape))


def test_other_shape_names_tensor_and_both_shapes_and_files(openai: Path) -> None:
    (openai / "hparams.json").write_text(json.dumps(vars(DEEP) | {"n_ctx": 9}))
    assert refusal(openai) == (
        f"{openai / INDEX}: `model/wpe` has the shape [8, 4], but by hparams.json it must be [9, 4]; "
        f"is {openai / 'hparams.json'} the one of this checkpoint?"
    )


def test_missing_tensor_is_named_with_its_shape(openai: Path) -> None:
    rewrite(openai, {b"model/h3/mlp/c_fc/w": None})
    assert refusal(openai) == f"{openai / INDEX}: `model/h3/mlp/c_fc/w` [1, 4, 16] is missing; is this a GPT-2?"


def test_more_layers_claimed_than_there_are_end_at_the_first(openai: Path) -> None:
    (openai / "hparams.json").write_text(json.dumps(vars(DEEP) | {"n_layer": 2_000_000_000}))
    assert refusal(openai) == f"{openai / INDEX}: `model/h11/ln_1/g` [4] is missing; is this a GPT-2?"


def test_fewer_layers_claimed_than_there_are_is_refused(openai: Path) -> None:
    (openai / "hparams.json").write_text(json.dumps(vars(DEEP) | {"n_layer": 10}))
    assert refusal(openai) == (
        f"{openai / INDEX}: has more layers than {openai / 'hparams.json'} says (10); correct n_layer"
    )


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "12", None, 10**30])
def test_hparams_that_are_no_counts_are_refused(openai: Path, value: object) -> None:
    (openai / "hparams.json").write_text(json.dumps(vars(DEEP) | {"n_layer": value}))
    assert refusal(openai) == f"{openai / 'hparams.json'}: `n_layer: {value}` is not a count; is this a GPT-2?"


def test_hparams_without_a_number_is_refused(openai: Path) -> None:
    (openai / "hparams.json").write_text("{}")
    assert refusal(openai) == f"{openai / 'hparams.json'}: the key `n_embd` is missing; is this a GPT-2?"


def test_changed_weight_is_noticed(openai: Path) -> None:
    data = bytearray((openai / SHARD).read_bytes())
    data[-1] ^= 1
    (openai / SHARD).write_bytes(data)
    assert refusal(openai) == (
        f"{openai / SHARD}: the checksum of `transformer.wte.weight` does not match; copy the file there again"
    )


def test_cut_off_shard_is_noticed(openai: Path) -> None:
    data = (openai / SHARD).read_bytes()
    (openai / SHARD).write_bytes(data[:-1])
    size = len(data)
    assert refusal(openai) == (
        f"{openai / SHARD}: has {size - 1} bytes, but `model/wte` lies at {size - 4160} to {size}; "
        "is the download complete?"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (make_entry(1, (260, 4), 0, -8, 4160), "{shard}: has 15056 bytes, but `model/wte` lies at -8 to 4152; is the"),
        (make_entry(1, (260, 4), 0, 1 << 62, 4160), "{shard}: has 15056 bytes, but `model/wte` lies at 46116860184"),
        (
            make_entry(1, (260, 4), 0, 0, 1 << 43),
            "{index}: `model/wte` has 8796093022208 bytes, which is not [260, 4] of",
        ),
        (make_entry(1, (260, 4), 0, 0, -4), "{index}: `model/wte` has -4 bytes, which is not [260, 4] of"),
        (make_entry(1, (1 << 40, 4), 0, 0, 1 << 44), "{index}: `model/wte` has the shape [1099511627776, 4], but by h"),
        (make_entry(1, (260, 4), 7, 0, 4160), "{index}: `model/wte` lies in shard 7 of 1"),
        (
            make_entry(9, (260, 4), 0, 0, 8320),
            "{index}: `model/wte` is of type `I64`; only `F32`, `F16`, `BF16`, `F64` can be",
        ),
        (
            make_entry(77, (260, 4), 0, 0, 4160),
            "{index}: `model/wte` is of type `type 77`; only `F32`, `F16`, `BF16`, `F64`",
        ),
        (
            make_entry(1, (260, 4), 0, 0, 4160),
            "{shard}: `transformer.h.0.attn.c_attn.bias` and `transformer.wte.weight",
        ),
        (
            make_entry(1, (-1, 4), 0, 0, 4160),
            "{index}: not a checkpoint's index, or damaged: a shape has too many or n",
        ),
        (
            make_entry(1, (1,) * 300, 0, 0, 4),
            "{index}: not a checkpoint's index, or damaged: a shape has too many or n",
        ),
        (
            make_field(1, b"x"),
            "{index}: not a checkpoint's index, or damaged: a number's field holds something else; co",
        ),
        (
            make_field(2, 5),
            "{index}: not a checkpoint's index, or damaged: a message's field holds a number; copy it the",
        ),
        (b"\xff" * 11, "{index}: not a checkpoint's index, or damaged: no whole varint at byte 0; copy it there again"),
        (b"\x0a\xff\xff\xff\xff\x0f", "{index}: not a checkpoint's index, or damaged: a field of 4294967295 bytes at "),
    ],
)
def test_hostile_entry_is_refused_in_one_line(openai: Path, entry: bytes, message: str) -> None:
    rewrite(openai, {WTE: entry})
    assert refusal(openai).startswith(message.format(index=openai / INDEX, shard=openai / SHARD))


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (make_field(1, 2), "it belongs to 2 .data files, not 1"),
        (make_field(1, 1) + make_field(2, 1), "it was written on a big-endian machine"),
        (make_field(1, 1) + make_field(3, make_field(1, 9) + make_field(2, 2)), "it has version 9; only 1 can be read"),
    ],
)
def test_header_of_another_kind_is_refused(openai: Path, header: bytes, fault: str) -> None:
    rewrite(openai, {b"": header})
    assert refusal(openai) == (f"{openai / INDEX}: not a checkpoint's index, or damaged: {fault}; copy it there again")


def test_large_index_is_not_read(openai: Path) -> None:
    with (openai / INDEX).open("r+b") as file:
        file.truncate(1 << 40)
    assert refusal(openai) == f"{openai / INDEX}: larger than 4194304 bytes; is it the right file?"
