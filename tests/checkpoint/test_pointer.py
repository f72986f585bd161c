"""Reading the file `checkpoint`, including one that another machine wrote."""

from pathlib import Path

import pytest

from gpt2forge.checkpoint.tf1.pointer import read_pointer
from gpt2forge.errors import UserError

NAMES = {"checkpoint", "model-1000.index", "modèle.index", "new.index"}


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ('model_checkpoint_path: "model-1000"\nall_model_checkpoint_paths: "model-500"\n', "model-1000"),
        ('model_checkpoint_path: "/home/x/checkpoint/run1/model-1000"', "model-1000"),
        ('model_checkpoint_path: "C:\\\\x\\\\model-1000"\r\n', "model-1000"),
        ('model_checkpoint_path: "C:\\x\\model-1000"', "model-1000"),
        ('model_checkpoint_path: "C:\\x\\new"', "new"),
        ('model_checkpoint_path: "/x/mod\\303\\250le"', "modèle"),
        ('model_checkpoint_path: "/x/modèle"', "modèle"),
        ('all_model_checkpoint_paths: "a"\n  model_checkpoint_path:"../../model-1000"\n', "model-1000"),
    ],
)
def test_only_the_last_part_of_the_path_counts(tmp_path: Path, text: str, prefix: str) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(text.encode())
    assert read_pointer(path, NAMES) == prefix


@pytest.mark.parametrize("name", ["gone", "..", "", "/", "a/.."])
def test_pointer_to_what_is_not_there_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / "checkpoint"
    path.write_text(f'model_checkpoint_path: "/x/{name}"\n')
    last = name.split("/")[-1]
    with pytest.raises(UserError) as error:
        read_pointer(path, {"checkpoint", "model.ckpt.index"})
    assert str(error.value) == (
        f"{path}: points to `{last}`, but `{last}.index` is not beside it; there is `model.ckpt.index`; "
        "correct the file or delete it"
    )


def test_file_without_a_pointer_says_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    path.write_text("model.ckpt\n")
    with pytest.raises(UserError) as error:
        read_pointer(path, NAMES)
    assert (
        str(error.value) == f'{path}: has no line `model_checkpoint_path: "..."`; write one that names the checkpoint'
    )


@pytest.mark.parametrize(
    "data", [b"\n" * (1 << 20), b" " * (1 << 20), b"\xff" * 1000, b'model_checkpoint_path: "a' * 9000 + b"b"]
)
def test_odd_file_is_read_in_one_pass(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(data)
    with pytest.raises(UserError, match="has no line `model_checkpoint_path"):
        read_pointer(path, NAMES)
