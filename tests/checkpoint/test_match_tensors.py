"""Tensors are found under every wrapper's prefix; a model for another task is refused by name."""

from pathlib import Path

import pytest

from gpt2forge.checkpoint.config import ModelConfig
from gpt2forge.checkpoint.contents import Contents, SourceTensor
from gpt2forge.checkpoint.match_tensors import match_tensors
from gpt2forge.checkpoint.names import HEAD, PREFIX, list_specs
from gpt2forge.errors import UserError

CONFIG = ModelConfig(10, 8, 4, 2, 2, 16, layer_norm_epsilon=1e-5, tied=True)
SHAPES = {spec.name.removeprefix(PREFIX): spec.shape for spec in list_specs(CONFIG)}


def match(folder: Path, shapes: dict[str, tuple[int, ...]]) -> Contents:
    path, offset, found = folder / "model.safetensors", 0, {}
    for name, shape in shapes.items():
        tensor = SourceTensor(name, "F32", shape=shape, path=path, offset=offset, nbytes=4)
        tensor = SourceTensor(name, "F32", shape=shape, path=path, offset=offset, nbytes=4 * tensor.count)
        offset += tensor.nbytes
        found[name] = tensor
    path.write_bytes(bytes(offset))
    return match_tensors(CONFIG, found, folder / "config.json")


@pytest.mark.parametrize(
    "outer", ["", "module.", "_orig_mod.", "_module.", "model.", "base_model.model.", "_orig_mod.module."]
)
@pytest.mark.parametrize("inner", ["", PREFIX])
def test_prefixes_of_wrappers_are_taken_off(tmp_path: Path, outer: str, inner: str) -> None:
    shapes = {f"{outer}{inner}{name}": shape for name, shape in SHAPES.items()}
    found = match(tmp_path, {**shapes, f"{outer}{HEAD}": (10, 4)})
    assert [tensor.name for tensor in found.tensors] == [*(PREFIX + name for name in SHAPES), HEAD]
    assert found.notes == ()


def test_multiple_choice_head_is_left_out_and_noted(tmp_path: Path) -> None:
    found = match(tmp_path, {**SHAPES, "multiple_choice_head.summary.weight": (1, 4)})
    assert [tensor.name for tensor in found.left_out] == ["multiple_choice_head.summary.weight"]
    assert "multiple-choice head" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("score.weight", "a classifier"),
        ("classifier.weight", "a classifier"),
        ("v_head.summary.weight", "a value head"),
        ("h.0.crossattention.c_attn.weight", "cross-attention"),
        ("h.1.ln_cross_attn.weight", "cross-attention"),
        ("h.0.attn.c_attn.lora_A.default.weight", "an adapter that is not merged"),
    ],
)
def test_model_for_another_task_is_refused_by_name(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(UserError, match=f"holds `{name}`: {what}"):
        match(tmp_path, {**SHAPES, name: (4,)})


def test_model_inside_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`decoder.transformer.wte.weight`: the model is a part of another one"):
        match(tmp_path, {f"decoder.transformer.{name}": shape for name, shape in SHAPES.items()})


def test_two_models_are_refused(tmp_path: Path) -> None:
    both = {f"{outer}{name}": shape for outer in ("module.", "model.") for name, shape in SHAPES.items()}
    with pytest.raises(UserError, match="the embeddings of two models"):
        match(tmp_path, both)


def test_embedding_that_only_the_head_holds_is_found(tmp_path: Path) -> None:
    rest = {f"{PREFIX}{name}": shape for name, shape in SHAPES.items() if name != "wte.weight"}
    found = match(tmp_path, {**rest, HEAD: (10, 4)})
    assert found.tensors[0].name == f"{PREFIX}wte.weight"


def test_old_names_of_norms_are_understood(tmp_path: Path) -> None:
    old = {
        name.replace(".weight", ".gamma").replace(".bias", ".beta") if "ln_" in name else name: shape
        for name, shape in SHAPES.items()
    }
    assert [tensor.name for tensor in match(tmp_path, old).tensors] == [PREFIX + name for name in SHAPES]
