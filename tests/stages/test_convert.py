"""transformers loads the output of convert bit for bit."""

import itertools
import json
import shutil
from pathlib import Path
from threading import Event

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, GPT2LMHeadModel

from gpt2forge.checkpoint.config import read_config
from gpt2forge.checkpoint.safetensors import read_header
from gpt2forge.digest import Written, digest_file
from gpt2forge.errors import UserError
from gpt2forge.executor.worker_process import run_worker
from gpt2forge.recipe.sections.source_section import SourceSection
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.stages.convert import STAGE
from gpt2forge.stages.stage import Inputs
from tests.checkpoint.huggingface_writer import change_tensors, make_model, write_huggingface
from tests.checkpoint.tiny import DATA, DEEP, Shape, list_openai_shapes, make_values, translate

NANO = Path(__file__).parents[2] / "examples/nano"
FILES = [
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
]

SOURCE = SourceSection(checkpoint="given as an input")


def convert(source: Path, out: Path) -> dict[str, int]:
    out.mkdir()
    return dict(STAGE.run(Inputs({"checkpoint": source}), SOURCE, TargetSection(device="cpu"), out))


def test_it_vouches_for_the_large_file_through_its_worker(tmp_path: Path) -> None:
    order = {
        "name": "convert",
        "module": STAGE.module,
        "section": {"step": None, "own_tokenizer": True, "special_tokens": None, "file": None},
        "target": {},
        "inputs": {"checkpoint": {"path": str(NANO), "digest": "0" * 64, "made": False}},
        "out": str(tmp_path / "out"),
        "view": str(tmp_path / "view"),
    }
    (tmp_path / "out").mkdir()
    ended = run_worker(
        "convert",
        request=order,
        code={},
        log=tmp_path / "log",
        locks=(),
        advance=lambda done, total, unit: None,
        stop=Event(),
    )
    path = tmp_path / "out/model.safetensors"
    found = path.stat()
    assert ended.written == {path.name: Written(digest_file(path), found.st_size, found.st_mtime_ns)}


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("convert") / "nano"
    assert convert(NANO, out) == {"tensors": 52, "parameters": 1_350_400, "context": 256}
    return out


@pytest.mark.parametrize(("name", "shape"), [("openai", DEEP), ("run1", Shape())])
def test_transformers_loads_a_tf1_checkpoint_bit_for_bit(tmp_path: Path, name: str, shape: Shape) -> None:
    convert(DATA / name, tmp_path / "out")
    model, told = GPT2LMHeadModel.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not (told["missing_keys"] or told["unexpected_keys"] or told["mismatched_keys"])
    state = model.state_dict()
    for openai, lengths in list_openai_shapes(shape).items():
        values = state[translate(openai)].numpy().reshape(lengths)
        assert np.array_equal(values.view(np.uint32), make_values(openai, lengths).view(np.uint32))
    assert (model.config.n_positions, model.config.eos_token_id, model.generation_config.eos_token_id) == (8, 0, 0)


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_loads_a_hugging_face_model_bit_for_bit(tmp_path: Path, tied: bool) -> None:
    source = make_model(tie_word_embeddings=tied)
    convert(write_huggingface(tmp_path / "in", source), tmp_path / "out")
    assert ("lm_head.weight" in read_header(tmp_path / "out/model.safetensors")) is not tied
    state = GPT2LMHeadModel.from_pretrained(tmp_path / "out").state_dict()
    assert state.keys() == source.state_dict().keys()
    assert all(torch.equal(state[name], values) for name, values in source.state_dict().items())
    tokens = torch.arange(8)[None]
    model = GPT2LMHeadModel.from_pretrained(tmp_path / "out")
    assert torch.equal(model(tokens).logits, source.eval()(tokens).logits)


def test_variants_of_the_configuration_are_kept(tmp_path: Path) -> None:
    variants = {
        "activation_function": "relu",
        "layer_norm_epsilon": 1e-3,
        "n_inner": 20,
        "scale_attn_weights": False,
        "scale_attn_by_inverse_layer_idx": True,
        "reorder_and_upcast_attn": True,
    }
    source = make_model(**variants)
    convert(write_huggingface(tmp_path / "in", source), tmp_path / "out")
    model = GPT2LMHeadModel.from_pretrained(tmp_path / "out")
    assert {key: getattr(model.config, key) for key in variants} == variants
    tokens = torch.arange(8)[None]
    assert torch.equal(model(tokens).logits, source.eval()(tokens).logits)


def test_tied_model_that_stores_its_head_twice_is_written_once(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "in", make_model())
    wte = "transformer.wte.weight"
    change_tensors(folder, lambda tensors: tensors | {"lm_head.weight": tensors[wte].clone()})
    assert convert(folder, tmp_path / "out")["tensors"] == 28
    assert read_config(tmp_path / "out").tied is True


def test_output_holds_these_files_and_its_own_output_converts_to_itself(nano: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in nano.iterdir()) == FILES
    convert(nano, tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (nano / name).read_bytes()


def test_tensors_are_in_order_without_holes(nano: Path) -> None:
    tensors = list(read_header(nano / "model.safetensors").values())
    names = [tensor.name.removeprefix("transformer.") for tensor in tensors]
    assert names[:3] == ["wte.weight", "wpe.weight", "h.0.ln_1.weight"]
    assert names[-2:] == ["ln_f.weight", "ln_f.bias"]
    assert all(one.offset + one.nbytes == other.offset for one, other in itertools.pairwise(tensors))
    assert list(load_file(nano / "model.safetensors")) != []


def test_progress_ends_at_all_bytes(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    inputs = Inputs({"checkpoint": NANO}, lambda done, total, unit: told.append((done, total, unit)))
    STAGE.run(inputs, SOURCE, TargetSection(device="cpu"), tmp_path)
    assert told[-1] == (5_401_600, 5_401_600, "B")
    assert told == sorted(told)


def test_trained_example_finds_code_plausible(nano: Path) -> None:
    model, tokenizer = GPT2LMHeadModel.from_pretrained(nano), AutoTokenizer.from_pretrained(nano)
    text = Path(json.__file__).read_text()
    tokens = torch.tensor([tokenizer(text).input_ids[:256]])
    shuffled = tokens[:, torch.randperm(256, generator=torch.Generator().manual_seed(0))]
    with torch.no_grad():
        plausible, implausible = (model(ids, labels=ids).loss.exp().item() for ids in (tokens, shuffled))
    assert plausible < 100 < 1000 < implausible


def test_generation_settings_of_the_source_are_kept(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "in", make_model())
    (folder / "generation_config.json").write_text(
        '{"temperature": 0.7, "transformers_version": "4.0", "eos_token_id": 5}'
    )
    convert(folder, tmp_path / "out")
    assert json.loads((tmp_path / "out/generation_config.json").read_text()) == {
        "bos_token_id": 0,
        "eos_token_id": 5,
        "temperature": 0.7,
    }


def test_end_of_text_comes_from_the_tokenizer_where_config_names_none(tmp_path: Path) -> None:
    folder = write_huggingface(tmp_path / "in", make_model(bos_token_id=None, eos_token_id=None))
    convert(folder, tmp_path / "out")
    config = read_config(tmp_path / "out")
    assert (config.ends, config.bos_token_id) == ((0,), 0)


def test_damaged_weights_stop_the_stage(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA / "openai", tmp_path / "in"))
    path = folder / "model.ckpt.data-00000-of-00001"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with pytest.raises(UserError) as error:
        convert(folder, tmp_path / "out")
    assert str(error.value) == (
        f"{path}: the checksum of `transformer.h.0.attn.c_attn.bias` does not match; copy the file there again"
    )


def test_stage_reads_the_checkpoint_and_not_its_path() -> None:
    assert (STAGE.name, STAGE.reads, STAGE.writes) == ("convert", ("checkpoint",), "weights")
    assert STAGE.section == "source" and "checkpoint" not in (STAGE.fields or ())
    assert STAGE.module == "gpt2forge.stages.convert"
    assert list(STAGE.tool_versions()) == ["tokenizers"]
    assert SourceSection(checkpoint="checkpoints/774M").checkpoint == "checkpoints/774M"
