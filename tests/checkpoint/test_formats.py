"""Adding a checkpoint format takes one value in a tuple; everything else works with the formats of that tuple."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from transformers import AutoTokenizer, GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.describe import describe_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.errors import UserError
from tests.checkpoint.npz_format import NPZ
from tests.checkpoint.tiny import Shape, list_openai_shapes, make_values, translate, write_openai_texts

WITH_NPZ = (*FORMATS, NPZ)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    folder = tmp_path / "arrays"
    write_openai_texts(folder, Shape())
    (folder / "hparams.json").unlink()
    shape = vars(Shape())
    names = {"n_vocab": "vocab_size", "n_ctx": "n_positions"}
    config = {names.get(name, name): value for name, value in shape.items()}
    (folder / "model.json").write_text(json.dumps({**config, "eos_token_id": 0, "bos_token_id": 0}))
    tensors = {}
    for openai, lengths in list_openai_shapes(Shape()).items():
        values = make_values(openai, lengths)
        tensors[translate(openai)] = values[0] if openai.endswith("/w") else values
    np.savez(folder / "weights.npz", **tensors)
    return folder


def test_added_format_is_converted_to_what_transformers_loads_bit_for_bit(arrays: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    converted = convert_checkpoint(arrays, out, formats=WITH_NPZ)
    assert converted.numbers == {"tensors": 28, "parameters": 3904, "context": 8}
    model, loading = GPT2LMHeadModel.from_pretrained(out, output_loading_info=True)
    assert not (loading["missing_keys"] or loading["unexpected_keys"] or loading["mismatched_keys"])
    state = model.state_dict()
    for openai, lengths in list_openai_shapes(Shape()).items():
        values = state[translate(openai)].numpy().reshape(lengths)
        assert np.array_equal(values.view(np.uint32), make_values(openai, lengths).view(np.uint32))
    assert AutoTokenizer.from_pretrained(out)("a<|endoftext|>").input_ids[-1] == 0


def test_added_format_is_described(arrays: Path) -> None:
    described = describe_checkpoint(arrays, WITH_NPZ)
    assert (described["layout"], described["tensors"], described["dtypes"]) == ("npz", 28, {"F32": 28})
    assert described["files"] == ["encoder.json", "model.json", "vocab.bpe", "weights.npz"]


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        find_checkpoint(folder, WITH_NPZ)
    return str(error.value)


def test_messages_name_the_added_format(arrays: Path, tmp_path: Path) -> None:
    for each in WITH_NPZ:
        assert each.expected_files in refusal(tmp_path / "gone")
    (arrays / "config.json").write_text("{}")
    assert refusal(arrays) == (f"{arrays}: holds checkpoints of 2 formats (Hugging Face, NumPy); keep one in a folder")


def test_folder_of_an_unknown_format_holds_no_checkpoint(arrays: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        find_checkpoint(arrays)


def test_names_of_formats_are_distinct() -> None:
    assert len({each.name for each in FORMATS}) == len({each.title for each in FORMATS}) == len(FORMATS)
