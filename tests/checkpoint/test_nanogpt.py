"""nanoGPT's ckpt.pt gives transformers' GPT-2 with the logits of nanoGPT's model."""

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import Converted, convert_checkpoint
from gpt2forge.checkpoint.describe import describe_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer
from tests.checkpoint.nanogpt_writer import NanoGPT, write_nanogpt
from tests.checkpoint.tiny import Shape, write_openai_texts

TOKENS = 260


def add_tokenizer(folder: Path) -> Path:
    make_tokenizer().save_pretrained(folder)
    return folder


def convert(folder: Path) -> tuple[GPT2LMHeadModel, Converted]:
    out = folder / "out"
    out.mkdir()
    converted = convert_checkpoint(folder, out)
    return GPT2LMHeadModel.from_pretrained(out), converted


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        convert_checkpoint(folder, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def compute(model: torch.nn.Module) -> np.ndarray:
    ids = torch.tensor([[5, 250, 17, 3, 99, 0, 1]])
    with torch.no_grad():
        found = model.eval()(ids)
    return (found if isinstance(found, torch.Tensor) else found.logits).double().numpy()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module."])
def test_logits_are_those_of_nanogpt(tmp_path: Path, bias: bool, prefix: str) -> None:
    model = NanoGPT(bias)
    found, converted = convert(add_tokenizer(write_nanogpt(tmp_path, model, prefix)))
    assert np.abs(compute(found) - compute(model)).max() < 1e-5
    assert converted.numbers["tensors"] == 28
    assert found.config.activation_function == "gelu"
    assert converted.notes == (
        "`ckpt.pt` does not name its activation; it is built with the exact GELU, nanoGPT's since June 2023",
    )


def test_file_without_the_key_bias_has_the_older_activation(tmp_path: Path) -> None:
    model = NanoGPT(approximate="tanh")
    found, converted = convert(add_tokenizer(write_nanogpt(tmp_path, model, bias="absent")))
    assert np.abs(compute(found) - compute(model)).max() < 1e-5
    assert np.abs(compute(found) - compute(NanoGPT())).max() > 1e-4
    assert "GPT-2's approximate GELU" in converted.notes[-1]


def test_file_in_the_layout_of_transformers_is_taken_as_one(tmp_path: Path) -> None:
    model = make_model()
    state = {f"_orig_mod.{name}": values for name, values in model.state_dict().items()}
    torch.save({"model": state, "model_args": NanoGPT().args, "iter_num": 5}, add_tokenizer(tmp_path) / "ckpt.pt")
    found, converted = convert(tmp_path)
    assert all(torch.equal(found.state_dict()[name], values) for name, values in model.state_dict().items())
    assert "GPT-2's approximate GELU" in converted.notes[0]


def test_padding_of_the_vocabulary_is_left_out_and_said(tmp_path: Path) -> None:
    model = NanoGPT(vocab_size=320)
    found, converted = convert(add_tokenizer(write_nanogpt(tmp_path, model)))
    assert found.config.vocab_size == TOKENS
    assert np.abs(compute(found) - compute(model)[..., :TOKENS]).max() < 1e-5
    assert converted.notes[0] == "the last 60 of 320 rows of the vocabulary are padding, and are left out"


def test_rows_that_are_no_padding_are_kept_and_said(tmp_path: Path) -> None:
    found, converted = convert(add_tokenizer(write_nanogpt(tmp_path, NanoGPT(vocab_size=640))))
    assert found.config.vocab_size == 640
    assert converted.notes[0] == "the model has 640 tokens, the tokenizer 260; all rows are kept"


def test_openai_tokenizer_beside_it_is_read(tmp_path: Path) -> None:
    write_openai_texts(write_nanogpt(tmp_path, NanoGPT()), Shape())
    (tmp_path / "hparams.json").unlink()
    assert find_checkpoint(tmp_path / "ckpt.pt").files == ("ckpt.pt", "encoder.json", "vocab.bpe")
    assert convert(tmp_path)[0].config.eos_token_id == 0


def test_it_is_described_with_its_step(tmp_path: Path) -> None:
    described = describe_checkpoint(add_tokenizer(write_nanogpt(tmp_path, NanoGPT())))
    assert (described["layout"], described["step"], described["separate_head"]) == ("nanogpt", 250, True)
    assert described["files"] == ["ckpt.pt", "tokenizer.json", "tokenizer_config.json"]


def test_missing_tokenizer_is_named_unless_it_comes_from_elsewhere(tmp_path: Path) -> None:
    write_nanogpt(tmp_path, NanoGPT())
    put = "put `tokenizer.json`, or `vocab.json` and `merges.txt`, there, or name a tokenizer with `source.tokenizer`"
    assert refusal(tmp_path) == (
        f"{tmp_path}: no tokenizer: nanoGPT saves none; {put}, the one that the model was trained with"
    )
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps({"stoi": {"a": 0}, "itos": {0: "a"}, "vocab_size": 1}))
    assert refusal(tmp_path) == (
        f"{tmp_path}: `meta.pkl`, which lists the characters, is a pickle, which is not opened because it can run "
        f"code; {put}"
    )
    assert find_checkpoint(tmp_path, wanted=Wanted(own_tokenizer=False)).files == ("ckpt.pt",)


def test_variant_of_a_fork_is_refused_by_name(tmp_path: Path) -> None:
    add_tokenizer(write_nanogpt(tmp_path, NanoGPT(), use_rmsnorm=True, use_softermax=False))
    assert refusal(tmp_path) == (
        f"{tmp_path / 'ckpt.pt'}: `model_args` has `use_rmsnorm: True`, which GPT-2 does not have"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"model": {}, "iter_num": 1}, "has no `model_args`, so it is no checkpoint of nanoGPT"),
        ([1], "has no `model_args`, so it is no checkpoint of nanoGPT"),
        ({"model": {}, "model_args": {}}, "the key `vocab_size` is missing"),
        ({"model": {}, "model_args": NanoGPT().args}, "`transformer.wte.weight` is missing"),
        ({"model": {"wte.weight": torch.ones(())}, "model_args": NanoGPT().args}, "is missing"),
        ({"model": {"a": 1}, "model_args": NanoGPT().args}, "`a` is no tensor that can be read"),
        ({"model": {}, "model_args": NanoGPT().args | {"n_layer": 1 << 30}}, "is missing"),
        ({"model": {}, "model_args": NanoGPT().args | {"n_layer": torch.ones(2)}}, "is not a count"),
        ({"model": {}, "model_args": NanoGPT().args | {"other": torch.ones(2)}}, "`model_args` has `other: tensor("),
        ({"model": {}, "model_args": {1: 2, None: 0}}, "`model_args` has `1: 2`"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, value: object, message: str) -> None:
    torch.save(value, add_tokenizer(tmp_path) / "ckpt.pt")
    assert message in refusal(tmp_path)


def test_missing_bias_is_named_unless_the_model_has_none(tmp_path: Path) -> None:
    add_tokenizer(write_nanogpt(tmp_path, NanoGPT(bias=False), bias=True))
    assert "`transformer.h.0.ln_1.bias` [8] is missing" in refusal(tmp_path)


def test_checkpoint_of_another_program_by_the_same_name_says_the_way_on(tmp_path: Path) -> None:
    torch.save({"net": {}, "opt": {}, "epoch": 3, "lr": 0.1}, add_tokenizer(tmp_path) / "ckpt.pt")
    assert refusal(tmp_path) == (
        f"{tmp_path / 'ckpt.pt'}: has no `model_args`, so it is no checkpoint of nanoGPT (it holds `net`, `opt`, "
        "`epoch`); load it with the code that trained it, and write its GPT2LMHeadModel with "
        "`model.save_pretrained(folder)` and `tokenizer.save_pretrained(folder)`"
    )
