"""Models of transformers for other tasks: saved by `save_pretrained`, as safetensors and as pytorch_model.bin."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
import transformers
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer

FILES = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}


def write(folder: Path, name: str, form: str, **changes: Any) -> Any:
    """Write a model of the class `name` with random weights."""
    config = make_model().config
    config.update({"num_labels": 3, "pad_token_id": 0, **changes})
    torch.manual_seed(0)
    model = getattr(transformers, name)(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    if form == "bin":
        (folder / FILES["safetensors"]).unlink()
        torch.save(model.state_dict(), folder / FILES["bin"])
    return model


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        convert_checkpoint(folder, folder)
    return str(error.value)


@pytest.mark.parametrize("form", FILES)
def test_language_model_of_a_double_heads_model_is_built(tmp_path: Path, form: str) -> None:
    model = write(tmp_path / "in", "GPT2DoubleHeadsModel", form, summary_use_proj=True, num_labels=1)
    (tmp_path / "out").mkdir()
    converted = convert_checkpoint(tmp_path / "in", tmp_path / "out")
    assert converted.notes == ("the multiple-choice head of a double-heads model is left out; the package writes text",)
    found, said = GPT2LMHeadModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(said[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    for name, values in found.state_dict().items():
        assert torch.equal(values, model.state_dict()[name]), name


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize(
    ("name", "tensor", "what"),
    [
        ("GPT2ForSequenceClassification", "score.", "a classifier, whose head would be lost"),
        ("GPT2ForTokenClassification", "classifier.", "a classifier, whose head would be lost"),
        ("GPT2ForQuestionAnswering", "qa_outputs.", "a head that finds answers in a text, which would be lost"),
    ],
)
def test_model_for_another_task_is_refused_by_name(
    tmp_path: Path, name: str, tensor: str, what: str, form: str
) -> None:
    write(tmp_path, name, form)
    found = refusal(tmp_path)
    assert found.startswith(f"{tmp_path / FILES[form]}: holds `{tensor}")
    assert found.endswith(f"`: {what}; only a model that writes text can be built")


def test_cross_attention_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, "GPT2LMHeadModel", "safetensors", add_cross_attention=True)
    assert "`add_cross_attention: true` cannot be built" in refusal(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"add_cross_attention": true', '"add_cross_attention": false'))
    assert "cross-attention to an encoder" in refusal(tmp_path)


def test_value_head_of_trl_is_refused_by_name(tmp_path: Path) -> None:
    """trl's AutoModelForCausalLMWithValueHead saves the model's state_dict with the value head's tensors in it."""
    model = make_model()
    model.config.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    head = {"v_head.summary.weight": torch.ones(1, 8), "v_head.summary.bias": torch.ones(1)}
    torch.save({**model.state_dict(), **head}, tmp_path / FILES["bin"])
    assert "`v_head.summary.weight`: a value head" in refusal(tmp_path)


def test_model_without_a_head_is_built_with_a_tied_one(tmp_path: Path) -> None:
    model = write(tmp_path / "in", "GPT2Model", "bin")
    (tmp_path / "out").mkdir()
    convert_checkpoint(tmp_path / "in", tmp_path / "out")
    found = GPT2LMHeadModel.from_pretrained(tmp_path / "out")
    assert torch.equal(found.lm_head.weight, model.wte.weight)
