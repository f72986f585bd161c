"""Weights that transformers 4.57 wrote for other frameworks give the logits that it computed with them there.

tests/checkpoint/transformers4_writer.py wrote the folders in tests/data.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_tokenizer
from tests.checkpoint.test_damage import damage, read_damaged
from tests.checkpoint.test_damage import load as load_bytes
from tests.checkpoint.tiny import DATA

IDS = [5, 250, 17, 3, 99, 0, 1]
FILES = {"flax": "flax_model.msgpack"}


def copy(case: str, folder: Path) -> Path:
    shutil.copytree(DATA / case, folder, dirs_exist_ok=True)
    make_tokenizer().save_pretrained(folder)
    return folder


def compute(folder: Path) -> np.ndarray:
    with torch.no_grad():
        return GPT2LMHeadModel.from_pretrained(folder).eval()(torch.tensor([IDS])).logits.numpy()


@pytest.mark.parametrize("case", FILES)
def test_logits_are_those_of_the_framework(tmp_path: Path, case: str) -> None:
    source = copy(case, tmp_path / "in")
    (tmp_path / "out").mkdir()
    assert find_checkpoint(source).weights == (FILES[case],)
    convert_checkpoint(source, tmp_path / "out")
    with np.load(source / "logits.npz") as expected:
        assert np.abs(compute(tmp_path / "out") - expected["arr_0"]).max() < 1e-5


@pytest.mark.parametrize("case", FILES)
def test_pytorch_weights_come_first(tmp_path: Path, case: str) -> None:
    source = copy(case, tmp_path)
    (source / "pytorch_model.bin").write_bytes(b"")
    assert find_checkpoint(source).weights == ("pytorch_model.bin",)


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(60), b"\xdf\xff\xff\xff\xff", b"\xa1a" * 9])
def test_other_file_is_refused_in_one_line(tmp_path: Path, case: str, content: bytes) -> None:
    path = copy(case, tmp_path) / FILES[case]
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        convert_checkpoint(tmp_path, tmp_path)
    assert str(error.value).startswith(f"{path}: not a ")
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module", params=FILES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(request.param, tmp_path_factory.mktemp("other"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_file_ends_in_one_line(folder: Path, data: st.DataObject) -> None:
    path = next(folder / name for name in FILES.values() if (folder / name).is_file())
    found = read_damaged(folder, path, damage(path.read_bytes(), data))
    assert isinstance(found, str) or found.keys() == load_bytes(folder).keys()
