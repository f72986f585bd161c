"""Directories that transformers wrote, with one weights file or several, with old names and new ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.convert_checkpoint import resolve_head
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.huggingface.read_huggingface import read_huggingface
from gpt2forge.checkpoint.read_tensors import read_pieces
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import change_tensors, make_model, write_huggingface

WTE, HEAD = "transformer.wte.weight", "lm_head.weight"


def load(folder: Path) -> Contents:
    return resolve_head(read_huggingface(find_checkpoint(folder)))


def gather(contents: Contents) -> dict[str, np.ndarray]:
    return {
        tensor.name: np.concatenate([piece.copy() for piece in read_pieces(tensor)]).reshape(tensor.shape)
        for tensor in contents.tensors
    }


def assert_holds(folder: Path, model: Any) -> None:
    """Assert that the folder holds every tensor of the model but a tied head, bit for bit."""
    state = model.state_dict()
    found = gather(load(folder))
    assert set(found) == set(state) - ({HEAD} if model.config.tie_word_embeddings else set())
    for name, values in found.items():
        assert np.array_equal(values.view(np.uint32), state[name].float().numpy().view(np.uint32)), name


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load(folder)
    return str(error.value)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "tiny", make_model())


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_one_file_comes_out_bit_for_bit(tiny: Path) -> None:
    assert_holds(tiny, make_model())


def test_shards_come_out_bit_for_bit(tmp_path: Path) -> None:
    model = make_model()
    write_huggingface(tmp_path, model, max_shard_size="6KB")
    assert len(find_checkpoint(tmp_path).weights) > 2
    assert_holds(tmp_path, model)


@pytest.mark.parametrize(("torch_type", "numpy_type"), [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)])
def test_narrow_types_are_widened_exactly(tmp_path: Path, torch_type: str, numpy_type: Any) -> None:
    model = make_model()
    write_huggingface(tmp_path, make_model().to(getattr(torch, torch_type)))
    found = gather(load(tmp_path))
    for name, values in found.items():
        assert np.array_equal(values, model.state_dict()[name].numpy().astype(numpy_type).astype(np.float32)), name


def test_names_without_prefix_and_saved_masks_are_understood(tiny: Path) -> None:
    def change(tensors: dict[str, Any]) -> dict[str, Any]:
        masks = {"h.0.attn.bias": torch.ones(1, 1, 8, 8), "h.1.attn.masked_bias": torch.tensor(-1e4)}
        return {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()} | masks

    change_tensors(tiny, change)
    assert_holds(tiny, make_model())
    assert {tensor.name for tensor in load(tiny).left_out} == {"h.0.attn.bias", "h.1.attn.masked_bias"}


def test_head_of_its_own_is_kept(tmp_path: Path) -> None:
    write_huggingface(tmp_path, make_model(tie_word_embeddings=False))
    assert_holds(tmp_path, make_model(tie_word_embeddings=False))
    assert load(tmp_path).config.tied is False


@pytest.mark.parametrize("said", [True, False])
def test_head_that_repeats_the_embedding_is_tied_whatever_config_says(tiny: Path, said: bool) -> None:
    change_tensors(tiny, lambda tensors: tensors | {HEAD: tensors[WTE].clone()})
    change_config(tiny, tie_word_embeddings=said)
    contents = load(tiny)
    assert contents.config.tied is True
    assert HEAD not in [tensor.name for tensor in contents.tensors]


def test_head_that_differs_in_one_bit_is_kept_whatever_config_says(tiny: Path) -> None:
    def change(tensors: dict[str, Any]) -> dict[str, Any]:
        head = tensors[WTE].clone()
        head.view(torch.int32)[-1, -1] ^= 1
        return tensors | {HEAD: head}

    change_tensors(tiny, change)
    assert load(tiny).config.tied is False


def test_missing_head_of_an_untied_model_is_refused(tiny: Path) -> None:
    change_config(tiny, tie_word_embeddings=False)
    assert refusal(tiny) == (
        f"{tiny / 'config.json'}: says `tie_word_embeddings: false`, but `lm_head.weight` is missing; "
        "is the download complete?"
    )


def test_missing_tensor_is_named(tiny: Path) -> None:
    change_tensors(tiny, lambda tensors: {name: values for name, values in tensors.items() if "h.1.ln_2.b" not in name})
    assert refusal(tiny) == f"{tiny}: `transformer.h.1.ln_2.bias` [8] is missing; is the download complete?"


def test_unknown_tensor_is_refused_by_name(tiny: Path) -> None:
    change_tensors(tiny, lambda tensors: tensors | {"h.0.gate.weight": torch.zeros(2, 8)})
    assert refusal(tiny) == (
        f"{tiny / 'model.safetensors'}: holds `h.0.gate.weight`, which a GPT-2 with 2 layers does not have; "
        "write it again with `GPT2LMHeadModel.from_pretrained(...).save_pretrained(...)`"
    )


def test_tensor_of_another_shape_is_refused(tiny: Path) -> None:
    change_config(tiny, n_positions=9)
    assert refusal(tiny) == (
        f"{tiny / 'model.safetensors'}: `transformer.wpe.weight` has the shape [8, 8], but by config.json it must be [9, 8]; "
        f"is {tiny / 'config.json'} the one of this checkpoint?"
    )


def test_integer_weights_are_refused(tiny: Path) -> None:
    change_tensors(tiny, lambda tensors: tensors | {WTE: tensors[WTE].to(torch.int32)})
    assert refusal(tiny) == (
        f"{tiny / 'model.safetensors'}: `{WTE}` is of type `I32`; only `F32`, `F16`, `BF16`, `F64` can be read"
    )


def test_index_that_names_the_wrong_shard_is_refused(tmp_path: Path) -> None:
    write_huggingface(tmp_path, make_model(), max_shard_size="6KB")
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    right = index["weight_map"][WTE]
    wrong = next(name for name in index["weight_map"].values() if name != right)
    index["weight_map"][WTE] = wrong
    path.write_text(json.dumps(index))
    assert refusal(tmp_path) == (
        f"{tmp_path / wrong}: `{WTE}` is missing, although the index names this file for it; is the download complete?"
    )


def test_variant_that_cannot_be_built_is_refused_by_name(tiny: Path) -> None:
    change_config(tiny, add_cross_attention=True)
    assert refusal(tiny) == f"{tiny / 'config.json'}: `add_cross_attention: true` cannot be built; only `false` can"


def test_shards_without_an_index_are_read_if_all_are_there(tmp_path: Path) -> None:
    model = make_model()
    write_huggingface(tmp_path, model, max_shard_size="6KB")
    (tmp_path / "model.safetensors.index.json").unlink()
    shards = find_checkpoint(tmp_path).weights
    assert len(shards) > 2
    assert_holds(tmp_path, model)
    copy = shutil.copy(tmp_path / shards[0], tmp_path / "kept")
    (tmp_path / shards[0]).unlink()
    assert refusal(tmp_path) == f"{tmp_path}: `{shards[0]}` is missing; is the download complete?"
    shutil.copy(tmp_path / shards[1], tmp_path / shards[0])
    assert f"`{shards[0]}` and `{shards[1]}` both hold" in refusal(tmp_path)
    Path(copy).rename(tmp_path / "model-00001-of-00002.safetensors")
    assert "keep those of one checkpoint" in refusal(tmp_path)
