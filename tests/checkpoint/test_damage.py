"""A damaged checkpoint yields either exactly the same tensors or one line that says what is wrong."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2forge.checkpoint.convert_checkpoint import read_checkpoint
from gpt2forge.checkpoint.describe import describe_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, write_huggingface
from tests.checkpoint.table_writer import make_table
from tests.checkpoint.tiny import DATA

TF1_FILES = ("checkpoint", "encoder.json", "hparams.json", "model.ckpt.index", "vocab.bpe")
SHARDS = tuple(f"model.ckpt.data-0000{number}-of-00003" for number in range(3))
HUGGING_FACE_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def load(folder: Path) -> dict[str, bytes]:
    _, contents = read_checkpoint(find_checkpoint(folder))
    return {tensor.name: b"".join(piece.tobytes() for piece in read_pieces(tensor)) for tensor in contents.tensors}


@cache
def load_once(folder: Path) -> dict[str, bytes]:
    """Return the tensors of a folder that is undamaged at the first call, and between two tries."""
    return load(folder)


@pytest.fixture(scope="module")
def tf1() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(DATA / "mixed", Path(folder) / "mixed"))


@pytest.fixture(scope="module")
def huggingface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_huggingface(tmp_path_factory.mktemp("huggingface"), make_model())
    assert len(load(folder)) == 28
    return folder


def damage(content: bytes, data: st.DataObject) -> bytes:
    """Cut a file off, change some of its bytes, or put others in."""
    kind = data.draw(st.sampled_from(("cut", "change", "insert")))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:at]
    others = data.draw(st.binary(min_size=1, max_size=12))
    return content[:at] + others + content[at + (len(others) if kind == "change" else 0) :]


def read_damaged(folder: Path, path: Path, content: bytes) -> dict[str, bytes] | str:
    """Return the tensors of a folder in which one file has other content, or the error."""
    before = path.read_bytes()
    try:
        path.write_bytes(content)
        try:
            describe_checkpoint(folder)
            return load(folder)
        except UserError as error:
            assert str(error)
            assert "\n" not in str(error)
            return str(error)
    finally:
        path.write_bytes(before)


@settings(max_examples=120)
@given(st.data())
def test_damaged_tf1_weights_and_index_never_give_other_tensors(tf1: Path, data: st.DataObject) -> None:
    path = tf1 / data.draw(st.sampled_from(("model.ckpt.index", *SHARDS)))
    found = read_damaged(tf1, path, damage(path.read_bytes(), data))
    assert isinstance(found, str) or found == load_once(tf1)


@settings(max_examples=120)
@given(st.data())
def test_damaged_tf1_texts_end_in_one_line(tf1: Path, data: st.DataObject) -> None:
    path = tf1 / data.draw(st.sampled_from(TF1_FILES))
    found = read_damaged(tf1, path, damage(path.read_bytes(), data))
    assert isinstance(found, str) or found == load_once(tf1)


@settings(max_examples=120)
@given(st.data())
def test_changed_entry_under_a_fitting_checksum_ends_in_one_line(tf1: Path, data: st.DataObject) -> None:
    path = tf1 / "model.ckpt.index"
    entries = dict(read_table(path.read_bytes()))
    key = data.draw(st.sampled_from(sorted(entries)))
    entries[key] = damage(entries[key] or b"\0", data)
    found = read_damaged(tf1, path, make_table(sorted(entries.items())))
    # A changed type of equal width yields other values from the same bytes: the checksum covers the bytes only.
    assert isinstance(found, str) or found.keys() == load_once(tf1).keys()


@settings(max_examples=120)
@given(st.data())
def test_damaged_hugging_face_directory_ends_in_one_line(huggingface: Path, data: st.DataObject) -> None:
    path = huggingface / data.draw(st.sampled_from(HUGGING_FACE_FILES))
    found = read_damaged(huggingface, path, damage(path.read_bytes(), data))
    # Safetensors has no checksums: a changed weight is another weight.
    assert isinstance(found, str) or found.keys() == load_once(huggingface).keys()


@settings(max_examples=100)
@given(st.data())
def test_arbitrary_json_in_place_of_a_text_ends_in_one_line(tf1: Path, huggingface: Path, data: st.DataObject) -> None:
    names = [(tf1, "hparams.json"), (tf1, "encoder.json"), *((huggingface, name) for name in HUGGING_FACE_FILES)]
    folder, name = data.draw(st.sampled_from([name for name in names if name[1].endswith(".json")]))
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )
    whole = json.loads((folder / name).read_bytes())
    for key in data.draw(st.lists(st.sampled_from(sorted(whole)), max_size=3)):
        whole[key] = data.draw(values)
    found = read_damaged(folder, folder / name, json.dumps(whole).encode())
    assert isinstance(found, str) or found.keys() == load_once(folder).keys()
