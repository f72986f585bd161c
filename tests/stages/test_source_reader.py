"""The reference is the checkpoint itself, read by its own library: a wrong conversion shows as a difference."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.errors import UserError
from gpt2forge.measure.distributions import read_reference
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.recipe.sections.verify_section import Verify
from gpt2forge.stages.convert import STAGE as CONVERT
from gpt2forge.stages.forge_json import write_provenance
from gpt2forge.stages.reference import STAGE
from gpt2forge.stages.source_reader import find_own_source
from gpt2forge.stages.stage import Inputs
from tests.checkpoint.huggingface_writer import change_tensors, make_model, write_huggingface
from tests.checkpoint.tiny import DATA, Shape, write_openai_texts

TEXT = "hello there, this is a text of some words, and of no others. " * 4


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "in", make_model())


@pytest.fixture
def weights(source: Path, tmp_path: Path) -> Path:
    return convert(source, tmp_path / "weights", "checkpoint")


def convert(source: Path, out: Path, *kinds: str) -> Path:
    """Convert a checkpoint; the provenance names inputs of these kinds."""
    out.mkdir()
    convert_checkpoint(source, out)
    inputs = {kind: {"path": str(source), "digest": "0", "made": False} for kind in kinds}
    write_provenance(out, CONVERT, section={}, target={}, inputs=inputs)
    return out


def refer(source: Path, weights: Path, out: Path) -> tuple[np.ndarray, list[str]]:
    """Run the stage; return the log-probabilities of the text's tokens, and the notes."""
    out.mkdir()
    (out.parent / "text").write_text(TEXT)
    inputs = Inputs({"checkpoint": source, "weights": weights, "text": out.parent / "text"})
    metrics = STAGE.run(inputs, Verify(text="text", tokens=40), TargetSection(device="cpu"), out)
    found = read_reference(out)
    return np.asarray(found.targets), list(metrics.get("notes", []))


def predict(source: Path, tokens: list[int]) -> np.ndarray:
    """Return the log-probability of each token but the first, in windows of the context of 8."""
    model = GPT2LMHeadModel.from_pretrained(source).eval()
    parts = []
    for start in range(0, len(tokens), 8):
        window = torch.tensor(tokens[start : start + 8])
        with torch.inference_mode():
            logs = model(window[None]).logits[0].log_softmax(-1)
        parts.append(logs[range(len(window) - 1), window[1:]].numpy())
    return np.concatenate(parts)


def swap_layers(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    one, other = "transformer.h.0.mlp.c_fc.weight", "transformer.h.1.mlp.c_fc.weight"
    return {**tensors, one: tensors[other], other: tensors[one]}


def test_wrong_weights_do_not_change_the_reference(source: Path, weights: Path, tmp_path: Path) -> None:
    right, notes = refer(source, weights, tmp_path / "right")
    change_tensors(weights, swap_layers)
    again, _ = refer(source, weights, tmp_path / "again")
    np.testing.assert_array_equal(right, again)
    tokens = read_reference(tmp_path / "right").tokens.tolist()
    np.testing.assert_allclose(right, predict(source, tokens), rtol=0, atol=1e-5)
    assert not np.allclose(right, predict(weights, tokens), rtol=0, atol=1e-3)
    assert notes == []


def test_wrong_tokenizer_ends_in_one_line(source: Path, weights: Path, tmp_path: Path) -> None:
    values = json.loads((weights / "tokenizer.json").read_text())
    values["model"]["merges"] = []
    (weights / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"token \d+ of the text, near .*, is another for transformers"):
        refer(source, weights, tmp_path / "out")


def test_checkpoint_that_transformers_cannot_load_is_noted(source: Path, weights: Path, tmp_path: Path) -> None:
    change_tensors(source, lambda tensors: {f"module.{name}": values for name, values in tensors.items()})
    _, (note,) = refer(source, weights, tmp_path / "out")
    assert "the reference is the converted model" in note


def test_weights_that_were_not_made_of_the_checkpoint_alone_are_the_reference(source: Path, tmp_path: Path) -> None:
    weights = convert(source, tmp_path / "merged", "checkpoint", "adapter")
    change_tensors(weights, swap_layers)
    found, _ = refer(source, weights, tmp_path / "out")
    tokens = read_reference(tmp_path / "out").tokens.tolist()
    np.testing.assert_allclose(found, predict(weights, tokens), rtol=0, atol=1e-5)


def test_source_is_found_by_the_step_that_was_converted(tmp_path: Path) -> None:
    """A pointer that names a save that is gone does not matter where the recipe names a step."""
    run = Path(shutil.copytree(DATA / "run1", tmp_path / "run"))
    (run / "checkpoint").write_text('model_checkpoint_path: "model-1100"\n')
    weights = tmp_path / "weights"
    weights.mkdir()
    inputs = {"checkpoint": {"path": str(run), "digest": "0", "made": False}}
    write_provenance(weights, CONVERT, section={"step": 1000}, target={}, inputs=inputs)
    found = find_own_source(Inputs({"checkpoint": run, "weights": weights}))
    assert found is not None and (found.folder, found.format, found.reads_texts) == (run, "tf1", True)


def test_wrong_end_of_text_ends_in_one_line(source: Path, weights: Path, tmp_path: Path) -> None:
    path = weights / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": 7}))
    with pytest.raises(UserError, match=r"ends a text at the tokens \[7\], but transformers at \[0\]"):
        refer(source, weights, tmp_path / "out")


def test_tokenizer_from_elsewhere_is_not_held_against_the_checkpoints_own(source: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    convert_checkpoint(source, weights, wanted=Wanted(own_tokenizer=False))
    section = {"step": None, "own_tokenizer": False, "special_tokens": None, "file": None}
    inputs = {"checkpoint": {"path": str(source), "digest": "0", "made": False}}
    write_provenance(weights, CONVERT, section=section, target={}, inputs=inputs)
    (tmp_path / "out").mkdir()
    (tmp_path / "text").write_text("1 2 3 4 5 6")
    paths = {"checkpoint": source, "weights": weights, "text": tmp_path / "text"}
    STAGE.run(Inputs(paths), Verify(text="text", tokens=40), TargetSection(device="cpu"), tmp_path / "out")
    assert read_reference(tmp_path / "out").tokens.tolist() == [1, 2, 3, 4, 5, 6]


def test_openais_tokenizer_of_a_tensorflow_2_checkpoint_is_held_against_their_encoder(tmp_path: Path) -> None:
    source = tmp_path / "in"
    write_openai_texts(source, Shape())
    (source / "hparams.json").unlink()
    for name in ("checkpoint", "config.json", "tf_model.index", "tf_model.data-00000-of-00001"):
        shutil.copyfile(DATA / "tf2_weights" / name, source / name)
    weights = convert(source, tmp_path / "weights", "checkpoint")
    _, notes = refer(source, weights, tmp_path / "right")
    assert notes == []
    values = json.loads((weights / "tokenizer.json").read_text())
    values["model"]["merges"] = []
    (weights / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"token \d+ of the text, near .*, is another for OpenAI's encoder"):
        refer(source, weights, tmp_path / "wrong")
