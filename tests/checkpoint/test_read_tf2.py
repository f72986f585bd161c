"""TensorFlow 2 checkpoints that transformers 4's TFGPT2LMHeadModel wrote are read without TensorFlow.

`tf2_cases` says how the files under tests/data were written.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint, read_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.checkpoint.tf1.leveldb import read_table
from gpt2forge.checkpoint.tf2.object_graph import GRAPH, VALUE, translate_paths
from gpt2forge.errors import UserError
from interop.tensorflow_process import NO_WHEEL, read_checkpoints
from tests.checkpoint.table_writer import make_entry, make_table
from tests.checkpoint.test_damage import damage
from tests.checkpoint.test_read_tf1 import assert_equal_bits, gather
from tests.checkpoint.tiny import DATA, Shape, list_openai_shapes, make_values, translate, write_openai_texts

IDS = [[5, 12, 200, 0, 7, 30, 259, 1]]
WEIGHTS = DATA / "tf2_weights"
MODEL = (
    "wte/embeddings",
    "wpe/embeddings",
    "h/0/ln_1/gamma",
    "h/0/ln_1/beta",
    "h/10/attn/c_attn/weight",
    "h/10/mlp/c_proj/bias",
    "ln_f/gamma",
    "ln_f/beta",
)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        read_checkpoint(find_checkpoint(folder))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("name", "layout"), [("tf2_weights", "tf2"), ("tf2_run", "tf2")])
def test_float32_comes_out_bit_for_bit(name: str, layout: str) -> None:
    checkpoint = find_checkpoint(DATA / name)
    _, contents = read_checkpoint(checkpoint)
    tensors = {tensor.name: tensor for tensor in contents.tensors}
    assert checkpoint.format.name == layout
    assert len(tensors) == len(list_openai_shapes(Shape()))
    for openai, lengths in list_openai_shapes(Shape()).items():
        tensor = tensors[translate(openai)]
        assert_equal_bits(gather(tensor), make_values(openai, lengths).reshape(tensor.shape))


def test_converted_model_computes_what_the_one_of_tensorflow_did(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import torch
    from transformers import AutoTokenizer, GPT2LMHeadModel

    convert_checkpoint(WEIGHTS, tmp_path)
    with torch.no_grad():
        logits = GPT2LMHeadModel.from_pretrained(tmp_path)(torch.tensor(IDS)).logits.numpy()
    assert np.abs(logits - np.load(WEIGHTS / "logits.npy")).max() < 1e-6
    assert AutoTokenizer.from_pretrained(tmp_path)("a<|endoftext|>").input_ids[-1] == 0


def test_optimizers_slots_and_counters_are_left_out() -> None:
    checkpoint = find_checkpoint(DATA / "tf2_run")
    _, contents = read_checkpoint(checkpoint)
    left_out = {tensor.name.removesuffix(VALUE) for tensor in contents.left_out}
    assert {GRAPH, "save_counter", "optimizer/iter"} <= left_out
    assert sum(".OPTIMIZER_SLOT/" in name for name in left_out) == 2 * len(contents.tensors)
    assert contents.step == 2
    assert checkpoint.notes == ("the save `ckpt-2` is read, the newest of 2; `source.step` chooses another",)


def test_other_save_holds_other_values() -> None:
    _, contents = read_checkpoint(find_checkpoint(DATA / "tf2_run", wanted=Wanted(step=1)))
    moved = gather(next(tensor for tensor in contents.tensors if tensor.name.endswith("h.0.mlp.c_fc.weight")))
    difference = np.abs(moved - make_values("model/h0/mlp/c_fc/w", (1, 8, 32))[0])
    assert 0 < difference.max() < 2e-3  # a step of Adam


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_WHEEL), reason=NO_WHEEL)
def test_tensorflow_reads_the_same() -> None:
    prefixes = (DATA / "tf2_run/ckpt-1", DATA / "tf2_run/ckpt-2", WEIGHTS / "tf_model")
    for prefix, theirs in zip(prefixes, read_checkpoints(*prefixes), strict=True):
        wanted = Wanted(step=int(prefix.name[-1])) if prefix.name[-1].isdigit() else Wanted()
        _, contents = read_checkpoint(find_checkpoint(prefix.parent, wanted=wanted))
        tensors = {tensor.name: gather(tensor) for tensor in contents.tensors}
        names = translate_paths(theirs)
        assert sorted(names.values()) == sorted(tensors)
        for path, name in names.items():
            assert_equal_bits(tensors[name], theirs[path].reshape(tensors[name].shape))


@pytest.fixture
def openai(tmp_path: Path) -> Path:
    """Copy a checkpoint into a folder with OpenAI's texts in place of transformers'."""
    folder = tmp_path / "openai"
    write_openai_texts(folder, Shape())
    for name in ("checkpoint", "tf_model.index", "tf_model.data-00000-of-00001"):
        shutil.copyfile(WEIGHTS / name, folder / name)
    return folder


def test_texts_of_openai_describe_it_as_well(openai: Path) -> None:
    _, contents = read_checkpoint(find_checkpoint(openai))
    _, other = read_checkpoint(find_checkpoint(WEIGHTS))
    assert [tensor.name for tensor in contents.tensors] == [tensor.name for tensor in other.tensors]
    assert contents.config.ends == (0,)


def test_tokenizer_of_openai_is_read_beside_a_config(openai: Path) -> None:
    (openai / "hparams.json").unlink()
    shutil.copyfile(WEIGHTS / "config.json", openai / "config.json")
    checkpoint = find_checkpoint(openai)
    assert checkpoint.format.name == "tf2" and {"encoder.json", "vocab.bpe"} < set(checkpoint.files)
    vocabulary, _ = read_checkpoint(checkpoint)
    assert vocabulary.size == 260
    (openai / "vocab.bpe").unlink()
    assert refusal(openai).endswith(": no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there")


def test_checkpoint_alone_says_what_to_put_there(openai: Path) -> None:
    for name in ("hparams.json", "encoder.json", "vocab.bpe"):
        (openai / name).unlink()
    assert refusal(openai) == (
        f"{openai}: a TensorFlow 2 checkpoint without `config.json`; put it there with the tokenizer: "
        "`model.config.save_pretrained(folder)` and `tokenizer.save_pretrained(folder)` write them"
    )


def test_other_model_is_named_with_what_to_do(openai: Path) -> None:
    """tf.train.Checkpoint(v=tf.Variable(...)) writes such an index."""
    entries = {b"v" + VALUE.encode(): make_entry(1, (260, 8), 0, 0, 8320), GRAPH.encode(): b""}
    path = openai / "tf_model.index"
    header = dict(read_table(path.read_bytes()))[b""]
    path.write_bytes(make_table(sorted({b"": header, **entries}.items())))
    assert refusal(openai) == (
        f"{path}: a TensorFlow 2 checkpoint, but not of a TFGPT2LMHeadModel: it holds `v`; save the GPT-2 by itself, "
        "with `model.save_pretrained(folder)` of TFGPT2LMHeadModel"
    )


def test_other_shape_names_tensor_and_config(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WEIGHTS, tmp_path / "model"))
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "n_positions": 9}))
    assert "`transformer.wpe.weight` has the shape [8, 8], but by config.json it must be [9, 8]" in refusal(folder)


@pytest.mark.parametrize("outer", ["", "model/", "net/tower/"])
@pytest.mark.parametrize("inner", ["transformer/", ""])
@pytest.mark.parametrize(("wte", "wpe"), [("", ""), ("/weight", "/embeddings"), ("/embeddings", "")])
def test_paths_of_every_version_are_translated(outer: str, inner: str, wte: str, wpe: str) -> None:
    inside = (f"wte{wte}", f"wpe{wpe}", *MODEL[2:])
    others = ["save_counter", "keras_api/metrics/0/total", f"wte/.OPTIMIZER_SLOT/optimizer/m{VALUE}", "optimizer/iter"]
    paths = [*(f"{outer}{inner}{path}{VALUE}" for path in inside), *(f"{path}{VALUE}" for path in others), GRAPH]
    assert list(translate_paths(paths).values()) == [
        "transformer.wte.weight",
        "transformer.wpe.weight",
        "transformer.h.0.ln_1.weight",
        "transformer.h.0.ln_1.bias",
        "transformer.h.10.attn.c_attn.weight",
        "transformer.h.10.mlp.c_proj.bias",
        "transformer.ln_f.weight",
        "transformer.ln_f.bias",
    ]


def test_heads_keep_their_names_so_that_they_are_refused_or_noted() -> None:
    paths = ["transformer/wte/weight", "score/kernel", "multiple_choice_head/summary/kernel"]
    found = translate_paths([path + VALUE for path in paths])
    assert list(found.values())[1:] == ["score.kernel", "multiple_choice_head.summary.kernel"]


def test_two_models_are_named() -> None:
    with pytest.raises(ValueError, match="of two models, `a/transformer/wte` and `b/transformer/wte`"):
        translate_paths([f"{name}/transformer/wte/weight{VALUE}" for name in "ab"])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_entry_under_a_fitting_checksum_ends_in_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(shutil.copytree(WEIGHTS, Path(name) / "model"))
        path = folder / "tf_model.index"
        entries = dict(read_table(path.read_bytes()))
        key = data.draw(st.sampled_from(sorted(entries)))
        changed = damage(key, data) if key and data.draw(st.booleans()) else key
        content = entries.pop(key)
        entries[changed] = damage(content or b"\0", data)
        path.write_bytes(make_table(sorted(entries.items())))
        try:
            _, contents = read_checkpoint(find_checkpoint(folder))
            for tensor in contents.tensors:
                gather(tensor)
        except UserError as error:
            assert str(error) and "\n" not in str(error)
