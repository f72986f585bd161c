"""A model says by its likelihoods whether its trainer read `<|endoftext|>` as one token or in pieces."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from transformers import GPT2LMHeadModel

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint, read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer
from gpt2forge.checkpoint.tf1.measure_marker import Likelihood, measure_marker
from gpt2forge.checkpoint.tf1.openai_model import compute_logits
from gpt2forge.runtime.text import read_tokenizer
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface
from tests.checkpoint.tiny import DATA

WORDS = ["it", "was", "the", "day", "a", "night", "of", "rain", "and", "they", "went", "home"]
LINE = "\n"
NANO = Path(__file__).parents[2] / "examples/nano"


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: more wait for each other on operations as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def read(folder: Path) -> tuple[SourceTokenizer, Contents]:
    return read_checkpoint(find_checkpoint(folder))


def test_logits_are_those_of_transformers(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path, make_model(n_embd=32, n_head=4, n_positions=16))
    texts = [[5, 250, 17, 3], [0], [9] * 16]
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    for text, found in zip(texts, compute_logits(read(folder)[1], texts), strict=True):
        with torch.no_grad():
            expected = model(torch.tensor([text])).logits[0].numpy()
        assert np.abs(found - expected).max() < 1e-5


def train(folder: Path, *, in_pieces: bool, steps: int = 80) -> Path:
    """Train a small model on short texts with a marker behind each, which it reads as one token or in pieces."""
    model = make_model(n_embd=64, n_head=2, n_layer=1, n_positions=64)
    model.apply(model._init_weights)
    tokenizer, draw = make_tokenizer(), random.Random(0)
    tokenizer.split_special_tokens = in_pieces
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        text = f"{' '.join(draw.choices(WORDS, k=4))}.{draw.choice(['', LINE])}<|endoftext|>"
        ids = torch.tensor([tokenizer(text).input_ids])
        model(ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return write_huggingface(folder, model)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("in_pieces", [True, False])
def test_way_of_the_trainer_is_likelier(tmp_path: Path, in_pieces: bool) -> None:
    tokenizer, contents = read(train(tmp_path / "in", in_pieces=in_pieces))
    found = measure_marker(contents, tokenizer)
    assert found is not None and found.is_text == in_pieces
    assert abs(found.pieces - found.token) > 2
    assert f"is read {'in pieces' if in_pieces else 'as one token'}: " in found.describe()


def test_model_that_read_tokens_is_found_out() -> None:
    tokenizer, contents = read(NANO)
    found = measure_marker(contents, tokenizer)
    assert found is not None and not found.is_text


def test_choice_is_noted_with_both_numbers() -> None:
    assert Likelihood(-2.31, -14.6).describe() == (
        "`<|endoftext|>` in a text is read in pieces: at the end of a short text this model gives its pieces a "
        "log-likelihood of -2.3 nats, and the one token -14.6; `source.special_tokens: token` reads it the other way"
    )


@pytest.mark.parametrize("is_text", [True, False])
def test_conversion_of_a_run_follows_what_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_text: bool
) -> None:
    source = Path(shutil.copytree(DATA / "run1", tmp_path / "run"))
    measured = Likelihood(*((-1.0, -2.0) if is_text else (-2.0, -1.0)))
    monkeypatch.setattr("gpt2forge.checkpoint.convert_checkpoint.measure_marker", lambda contents, tokenizer: measured)
    out = tmp_path / "out"
    out.mkdir()
    converted = convert_checkpoint(source, out)
    assert converted.notes[-1] == measured.describe()
    assert (len(read_tokenizer(out).encode("a<|endoftext|>b").ids) > 3) == is_text
    assert ("stop_strings" in json.loads((out / "generation_config.json").read_text())) == is_text
    assert convert_checkpoint(source, out, wanted=Wanted(special_tokens="token")).notes == ()


def test_context_without_room_is_not_measured() -> None:
    """tests/data/run1 has a context of 8 tokens, and the marker has 13 pieces."""
    tokenizer, contents = read(DATA / "run1")
    assert measure_marker(contents, tokenizer) is None
