"""The training script: what it writes is a checkpoint in OpenAI's layout."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from tokenizers.implementations import ByteLevelBPETokenizer
from transformers import GPT2LMHeadModel

from examples.nano.corpus import list_sources, split
from examples.nano.train import Choices, make_checkpoint, read_options
from examples.nano.training import Settings, choose_rate
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from interop.tensorflow_process import NO_WHEEL, read_checkpoints
from tests.shared import share

pytestmark = pytest.mark.slow

TINY = Settings(vocabulary=300, context=16, width=16, heads=2, layers=2, batch=2, steps=2)


@dataclass(frozen=True)
class Trained:
    """A model, and the folder that the script saved it to."""

    model: GPT2LMHeadModel
    folder: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One for all tests of all workers: each save starts TensorFlow anew."""
    if NO_WHEEL:
        pytest.skip(NO_WHEEL)

    def fill(folder: Path) -> None:
        model = make_checkpoint(list_sources()[:30], TINY, Choices(folder / "checkpoint"))
        model.save_pretrained(folder / "model")

    folder = share(tmp_path_factory, "trained", fill)
    return Trained(GPT2LMHeadModel.from_pretrained(folder / "model"), folder / "checkpoint")


def test_tensorflow_reads_what_was_saved_bit_for_bit(trained: Trained) -> None:
    (saved,) = read_checkpoints(trained.folder)
    weights = {name: weight.numpy() for name, weight in trained.model.transformer.state_dict().items()}
    assert len(saved) == len(weights)
    assert {values.dtype for values in saved.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(saved["model/wte"], weights["wte.weight"])
    np.testing.assert_array_equal(saved["model/h1/mlp/c_fc/w"], weights["h.1.mlp.c_fc.weight"][None])
    np.testing.assert_array_equal(saved["model/h1/mlp/c_fc/b"], weights["h.1.mlp.c_fc.bias"])
    np.testing.assert_array_equal(saved["model/h0/ln_2/g"], weights["h.0.ln_2.weight"])
    np.testing.assert_array_equal(saved["model/ln_f/b"], weights["ln_f.bias"])


def test_a_training_writes_the_files_that_openai_published(trained: Trained) -> None:
    names = ["checkpoint", "encoder.json", "hparams.json", "model.ckpt.data-00000-of-00001", "model.ckpt.index"]
    assert sorted(path.name for path in trained.folder.iterdir()) == [*names, "model.ckpt.meta", "vocab.bpe"]
    hparams = json.loads((trained.folder / "hparams.json").read_text())
    assert hparams == {"n_vocab": 300, "n_ctx": 16, "n_embd": 16, "n_head": 2, "n_layer": 2}
    assert str(trained.folder) not in (trained.folder / "checkpoint").read_text()


def test_the_vocabulary_gives_every_text_back(trained: Trained) -> None:
    encoder = json.loads((trained.folder / "encoder.json").read_text(encoding="utf-8"))
    assert sorted(encoder.values()) == list(range(300))
    assert encoder["<|endoftext|>"] == 299
    tokenizer = ByteLevelBPETokenizer(str(trained.folder / "encoder.json"), str(trained.folder / "vocab.bpe"))
    text = "def f(x):\n\treturn 'ü€' # \x00\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_one_file_in_25_is_held_out(tmp_path: Path) -> None:
    sources = [tmp_path / f"{index}.py" for index in range(50)]
    for path in sources:
        path.write_text(path.stem)
    training, heldout = split(sources)
    assert heldout == ["7", "32"]
    assert len(training) == 48


def test_every_option_changes_the_setting_of_its_name() -> None:
    words = ["--width", "256", "--layers", "3", "--steps", "7", "--out", "checkpoints/wide"]
    assert read_options(words) == (Choices(Path("checkpoints/wide")), Settings(width=256, layers=3, steps=7))
    assert read_options(["--out", "x"])[1] == Settings()


def test_draft_has_the_tokens_of_another_model_and_half_the_bytes(tmp_path: Path) -> None:
    other, out = Path("examples/nano"), tmp_path / "draft"
    settings = Settings(context=16, width=8, heads=1, layers=1, batch=2, steps=1)
    model = make_checkpoint(list_sources()[:30], settings, Choices(out, other, half=True))
    (tmp_path / "converted").mkdir()
    convert_checkpoint(out, tmp_path / "converted")
    ids = json.loads((other / "encoder.json").read_text())
    assert json.loads((tmp_path / "converted/vocab.json").read_text()) == ids
    assert model.config.eos_token_id == ids["<|endoftext|>"]
    assert (out / "model.safetensors").stat().st_size < 2.1 * model.num_parameters() + 4000


def test_the_rate_rises_to_its_peak_and_falls_to_a_tenth() -> None:
    settings = Settings(steps=1000)
    rates = [choose_rate(step, settings) for step in range(1000)]
    assert max(rates) == rates[29] == settings.peak_rate
    assert rates[0] < rates[10] < rates[29] > rates[500] > rates[999]
    assert rates[999] == pytest.approx(settings.peak_rate / 10, rel=1e-3)


def test_what_a_training_saved_converts_to_the_model_that_was_trained(trained: Trained, tmp_path: Path) -> None:
    convert_checkpoint(trained.folder, tmp_path)
    converted = GPT2LMHeadModel.from_pretrained(tmp_path)
    tokens = torch.arange(10)[None]
    torch.testing.assert_close(converted(tokens).logits, trained.model.eval()(tokens).logits)
