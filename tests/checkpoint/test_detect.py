"""Finding the checkpoint in a folder and the files that belong to it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.errors import UserError
from tests.checkpoint.tiny import DATA

TEXTS = ("encoder.json", "hparams.json", "vocab.bpe")


def copy(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / name, tmp_path / name))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        find_checkpoint(folder)
    return str(error.value)


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("{}")
    return folder


def test_openai_layout_is_found() -> None:
    found = find_checkpoint(DATA / "openai")
    assert (found.format.name, found.weights) == ("tf1", ("model.ckpt.data-00000-of-00001",))
    assert found.files == (
        "checkpoint", "encoder.json", "hparams.json", "model.ckpt.data-00000-of-00001", "model.ckpt.index", "vocab.bpe",
    )  # fmt: skip


def test_other_steps_and_graphs_and_logs_do_not_count(tmp_path: Path) -> None:
    folder = copy("run1", tmp_path)
    expected = find_checkpoint(folder).files
    make(
        folder,
        "model-1000.meta",
        "model-900.index",
        "model-900.data-00000-of-00001",
        "counter",
        "events.out.tfevents.1",
    )
    make(folder, "model-10001.data-00000-of-00001", "model-1000.data-00000-of-00001.tempstate1")
    assert find_checkpoint(folder).files == expected
    assert expected == ("checkpoint", *TEXTS[:2], "model-1000.data-00000-of-00001", "model-1000.index", TEXTS[2])


def test_all_shards_are_found_in_order() -> None:
    found = find_checkpoint(DATA / "mixed")
    assert found.weights == tuple(f"model.ckpt.data-0000{number}-of-00003" for number in range(3))


def test_only_index_needs_no_pointer(tmp_path: Path) -> None:
    folder = copy("run1", tmp_path)
    (folder / "checkpoint").unlink()
    assert "model-1000.index" in find_checkpoint(folder).files


@pytest.mark.parametrize("exists", [True, False])
def test_no_checkpoint_says_what_to_put_where(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path if exists else tmp_path / "gone"
    assert refusal(folder) == (
        f"no checkpoint at `{folder}`: put one of these there: {'; '.join(each.expected_files for each in FORMATS)}"
    )


def test_missing_texts_are_named(tmp_path: Path) -> None:
    folder = copy("run1", tmp_path)
    (folder / "hparams.json").unlink()
    (folder / "vocab.bpe").unlink()
    assert refusal(folder) == f"{folder}: `hparams.json`, `vocab.bpe` missing; copy them from what was fine-tuned"


def test_missing_shard_is_named(tmp_path: Path) -> None:
    folder = copy("mixed", tmp_path)
    (folder / "model.ckpt.data-00001-of-00003").unlink()
    assert refusal(folder) == f"{folder}: `model.ckpt.data-00001-of-00003` missing; copy the whole checkpoint there"


def test_index_without_shards_is_refused(tmp_path: Path) -> None:
    folder = copy("openai", tmp_path)
    (folder / "model.ckpt.data-00000-of-00001").unlink()
    assert refusal(folder) == f"{folder}: no `.data-*` file for `model.ckpt.index`; copy the whole checkpoint there"


def test_shards_of_two_writings_are_refused(tmp_path: Path) -> None:
    folder = make(copy("openai", tmp_path), "model.ckpt.data-00000-of-00002")
    assert refusal(folder) == (
        f"{folder}: `.data-*` files of several checkpoints for `model.ckpt.index`; copy the whole checkpoint there"
    )


def test_two_checkpoints_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = make(copy("openai", tmp_path), "config.json", "model.safetensors")
    assert refusal(folder) == (
        f"{folder}: holds checkpoints of 2 formats (TensorFlow, Hugging Face); keep one in a folder"
    )


def test_hugging_face_directory_is_found(tmp_path: Path) -> None:
    make(tmp_path, "config.json", "model.safetensors", "tokenizer.json", "training_args.bin", "pytorch_model.bin")
    found = find_checkpoint(tmp_path)
    assert (found.format.name, found.weights) == ("huggingface", ("model.safetensors",))
    assert found.files == ("config.json", "model.safetensors", "tokenizer.json")


def test_hugging_face_shards_are_those_of_the_index(tmp_path: Path) -> None:
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    make(tmp_path, "config.json", "vocab.json", "merges.txt", "other.safetensors", *shards)
    index = {"metadata": {}, "weight_map": {"wte.weight": shards[1], "wpe.weight": shards[0]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert find_checkpoint(tmp_path).weights == tuple(shards)


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "gone.safetensors", "config.json", 3])
def test_hugging_face_index_cannot_leave_the_folder(tmp_path: Path, name: object) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    make(tmp_path, "x.safetensors")
    make(folder, "config.json", "tokenizer.json")
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"wte.weight": name}}))
    assert refusal(folder) == (
        f"{path}: `wte.weight` lies in `{name}`, which is not a `*.safetensors` file beside it; is the download complete?"
    )


def test_config_without_weights_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "config.json", "tokenizer.json")
    assert (
        refusal(tmp_path)
        == f"{tmp_path}: has config.json, but no weights; put `model.safetensors` or `pytorch_model.bin` there"
    )


def test_missing_tokenizer_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "config.json", "model.safetensors", "vocab.json")
    assert refusal(tmp_path) == (
        f"{tmp_path}: no tokenizer; put `tokenizer.json`, or `vocab.json` and `merges.txt`, there"
    )


def test_finding_imports_nothing_heavy() -> None:
    code = "import sys; import gpt2forge.checkpoint.detect; print({'ml_dtypes', 'numpy', 'pydantic', 'tokenizers', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"
