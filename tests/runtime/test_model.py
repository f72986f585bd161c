"""Text ends where transformers ends it, with the files of the checkpoint as they are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.errors import UserError, format_fixable
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.runtime.decoder import open_decoder
from gpt2forge.runtime.model import Model
from gpt2forge.runtime.open_model import VARIABLE, open_model, read_variable
from gpt2forge.stages.stage import Inputs
from tests.checkpoint.huggingface_writer import make_model, write_huggingface
from tests.graph.models import export
from tests.stages.run_quantize import run_quantize

LENGTH = 16
PROMPT = "the text"
FILES = ("generation_config.json", "config.json")


def write(folder: Path, generation: dict[str, Any] | None, config: dict[str, Any]) -> Path:
    """Write a model whose likeliest tokens differ, and let its files name these ids and no others.

    `generation` None means that there is no generation_config.json.
    """
    model = make_model(n_positions=32, tie_word_embeddings=False)  # a tied one repeats itself
    with torch.no_grad():
        model.transformer.wpe.weight.mul_(50)
        model.transformer.ln_f.bias.zero_()
    write_huggingface(folder, model)
    for name, ids in zip(FILES, (generation, config), strict=True):
        values = json.loads((folder / name).read_text())
        kept = {key: value for key, value in values.items() if not key.endswith("_token_id")}
        (folder / name).write_text(json.dumps(kept | (ids or {})))
    if generation is None:
        (folder / FILES[0]).unlink()
    return folder


def package(source: Path, folder: Path) -> Path:
    """Build the float32 package of a checkpoint under `folder`."""
    weights, out = folder / "weights", folder / "package"
    for path in (weights, out):
        path.mkdir(parents=True)
    convert_checkpoint(source, weights)
    inputs = Inputs({"weights": weights, "graph": export(weights, folder / "graph")})
    run_quantize(inputs, Quantization(), TargetSection(device="cpu"), out)
    return out


def continue_ours(model: Model, prompt: str = PROMPT) -> list[int]:
    return list(model.generate(prompt, LENGTH, temperature=0).tokens)


def continue_theirs(source: Path) -> list[int]:
    """Return the tokens that transformers adds to the prompt, without the one that ends the text."""
    model, tokenizer = GPT2LMHeadModel.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    inputs = tokenizer(PROMPT, return_tensors="pt")
    tokens = model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False)[0, inputs.input_ids.shape[1] :].tolist()
    ends = model.generation_config.eos_token_id
    return tokens[:-1] if tokens[-1] in (ends if isinstance(ends, list) else [ends]) else tokens


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """Return the tokens that follow the prompt where none ends it."""
    source = write(tmp_path_factory.mktemp("endless") / "in", {}, {"eos_token_id": None, "bos_token_id": None})
    tokens = continue_theirs(source)
    assert len(tokens) == LENGTH and len(set(tokens)) > 8
    return tokens


CASES: dict[str, tuple[Any, Any, int]] = {
    "generation_config before config": (5, 2, 5),
    "several ends": ([9, 4], None, 4),
    "config where there is no generation_config": (None, 6, 6),
}
"""The places in the text of the ends that both files name, and the place where it stops."""


@pytest.mark.parametrize("case", CASES)
def test_text_stops_where_transformers_stops(tmp_path: Path, tokens: list[int], case: str) -> None:
    generation, config, stop = CASES[case]
    distinct = list(dict.fromkeys(tokens))

    def pick(places: Any) -> Any:
        return [distinct[place] for place in places] if isinstance(places, list) else distinct[places]

    named = None if generation is None else {"eos_token_id": pick(generation)}
    source = write(tmp_path / "in", named, {"eos_token_id": 0 if config is None else pick(config)})
    ours = continue_ours(open_model(package(source, tmp_path), threads=1))
    assert ours == continue_theirs(source) == tokens[: tokens.index(distinct[stop])]


def test_end_outside_the_vocabulary_lets_text_run_to_the_limit(tmp_path: Path, tokens: list[int]) -> None:
    ids = {"bos_token_id": 50256, "eos_token_id": 50256}
    source = write(tmp_path / "in", ids, ids)
    path = source / "tokenizer.json"
    path.write_text(path.read_text().replace("<|endoftext|>", "<x>"))
    (source / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    model = open_model(package(source, tmp_path), threads=1)
    assert (model.ends, model.begin) == ((), None)
    assert continue_ours(model) == continue_theirs(source) == tokens
    with pytest.raises(UserError) as error:
        model.generate("")
    fault = "an empty prompt needs a token to start from, and this model names none; give a prompt"
    assert str(error.value) == fault


def test_text_without_a_prompt_starts_from_the_begin_else_from_the_first_end(tmp_path: Path) -> None:
    out = package(write(tmp_path / "in", {"bos_token_id": 3, "eos_token_id": [4, 5]}, {}), tmp_path)
    assert start_empty(out) == likeliest_after(out, 3)
    for name in FILES:
        values = json.loads((out / name).read_text())
        (out / name).write_text(json.dumps(values | {"bos_token_id": None}))
    assert start_empty(out) == likeliest_after(out, 4)


def start_empty(package: Path) -> int:
    """Return the first token of a text without a prompt."""
    return open_model(package, threads=1).generate("", 1, temperature=0).tokens[0]


def likeliest_after(package: Path, token: int) -> int:
    step = open_decoder(package, threads=1).start(1)
    return int(step(np.array([[token]]))[0].argmax())


def test_token_beyond_the_rows_of_the_model_is_named_when_a_text_is_encoded(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {}, {})
    rows = json.loads((source / "config.json").read_text())["vocab_size"]
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.add_tokens([f"<{number}>" for number in range(rows - len(tokenizer) + 1)])
    tokenizer.save_pretrained(source)
    number = len(tokenizer) - 1
    token = tokenizer.convert_ids_to_tokens(number)
    assert number == rows
    model = open_model(package(source, tmp_path), threads=1)
    with pytest.raises(UserError) as error:
        model.encode(f"a{token}b")
    assert str(error.value) == (
        f"the text holds `{token}` (token {number}), but the model has rows for {rows} tokens only: it was fine-tuned "
        "without this token and can neither read nor write it; leave it out of the text"
    )
    with pytest.raises(UserError, match=f"holds `{token}`"):
        model.generate(f"a{token}b")
    assert model.encode("a") == AutoTokenizer.from_pretrained(source)("a").input_ids


@pytest.mark.parametrize(
    ("text", "threads"), [("", 0), (" 1 ", 1), ("0", 0), ("two", None), ("-1", None), ("99999", None), ("٢", None)]
)
def test_variable_names_the_threads(monkeypatch: pytest.MonkeyPatch, text: str, threads: int | None) -> None:
    monkeypatch.setenv(VARIABLE, text)
    if threads is not None:
        assert read_variable() == threads
        return
    with pytest.raises(UserError, match=r"^(GPT2FORGE_THREADS is `.*`; it must be a whole number|99999 threads)"):
        read_variable()


def test_folder_whose_name_is_not_utf8_is_named(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(UnicodeEncodeError) as error:
        open_model(package(write(tmp_path / "source", {}, {}), folder))
    assert format_fixable(error.value).endswith("tokenizer.json': is not UTF-8; give that file or folder another name")
