"""Of several saves in a TensorFlow run's folder, one is chosen by rule, or a message names those that are there."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.format import Checkpoint, Wanted
from gpt2forge.errors import UserError
from gpt2forge.recipe.sections.source_section import SourceSection
from interop.tensorflow_process import NO_WHEEL, read_checkpoints
from tests.checkpoint import tensorflow_writer
from tests.checkpoint.test_read_tf1 import gather
from tests.checkpoint.tiny import DATA, translate

SHARD = "data-00000-of-00001"


def make_run(tmp_path: Path, *prefixes: str, pointer: str | None) -> Path:
    """Make a run's folder in which a real save lies under several names; an index does not hold its own name."""
    folder = Path(shutil.copytree(DATA / "run1", tmp_path / "run"))
    for end in ("index", SHARD):
        path = folder / f"model-1000.{end}"
        for prefix in prefixes:
            shutil.copyfile(path, folder / f"copy-{prefix}.{end}")
        path.unlink()
        for prefix in prefixes:
            (folder / f"copy-{prefix}.{end}").rename(folder / f"{prefix}.{end}")
    (folder / "checkpoint").unlink()
    if pointer:
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "{pointer}"\n')
    return folder


def find(folder: Path, step: int | None = None) -> Checkpoint:
    return find_checkpoint(folder, wanted=Wanted(step=step))


def refusal(folder: Path, step: int | None = None) -> str:
    with pytest.raises(UserError) as error:
        find(folder, step)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{folder}")


def test_newest_save_that_the_pointer_names_is_taken_and_noted(tmp_path: Path) -> None:
    found = find(make_run(tmp_path, "model-900", "model-1000", "model-20", pointer="model-1000"))
    assert found.weights == (f"model-1000.{SHARD}",)
    assert found.notes == ("the save `model-1000` is read, the newest of 3; `source.step` chooses another",)


def test_older_save_that_the_pointer_names_is_taken_and_noted(tmp_path: Path) -> None:
    found = find(make_run(tmp_path, "model-900", "model-1000", pointer="model-900"))
    assert found.weights == (f"model-900.{SHARD}",)
    assert found.notes == (
        "the save `model-900` is read, which the file `checkpoint` names, of 2; `source.step` chooses another",
    )


def test_step_chooses_a_save_and_reads_no_pointer(tmp_path: Path) -> None:
    found = find(make_run(tmp_path, "model-900", "model-1000", pointer="model-1000"), 900)
    assert found.files == ("encoder.json", "hparams.json", f"model-900.{SHARD}", "model-900.index", "vocab.bpe")
    assert found.notes == ()


def test_step_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "model-900", "model-1000", pointer="model-1000")
    assert refusal(folder, 950) == ": holds no save of step 950; there are the steps 900, 1000"
    (folder / "model-900.index").unlink()
    assert refusal(folder, 950) == ": holds no save of step 950; there is step 1000"


def test_step_of_a_save_without_one_says_so(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA / "openai", tmp_path / "openai"))
    assert refusal(folder, 5) == (
        ": holds no save of step 5; the names of `model.ckpt` hold no step, so leave `source.step` out"
    )


def test_two_saves_of_one_step_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "best-900", "model-900", pointer="model-900")
    assert refusal(folder, 900) == ": `best-900`, `model-900` are of step 900; keep one of them"


def test_without_a_pointer_the_highest_step_is_taken_and_noted(tmp_path: Path) -> None:
    found = find(make_run(tmp_path, "model-900", "model-1000", pointer=None))
    assert found.weights == (f"model-1000.{SHARD}",)
    assert found.notes == (
        "there is no file `checkpoint`, so the save `model-1000` is read, the one of the highest step of 2; "
        "`source.step` chooses another",
    )


@pytest.mark.parametrize("other", ["final", "best-1000"])
def test_without_a_pointer_saves_that_cannot_be_ordered_are_named(tmp_path: Path, other: str) -> None:
    folder = make_run(tmp_path, "model-1000", other, pointer=None)
    assert refusal(folder) == (
        f": holds the saves `{min('model-1000', other)}`, `{max('model-1000', other)}`, but no file `checkpoint` that "
        "names one of them; set `source.step`, or keep one of them"
    )


def test_pointer_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model-1000"\n')
    assert refusal(tmp_path) == (
        "/checkpoint: points to `model-1000`, but `model-1000.index` is not beside it; copy it there with its .data files"
    )


def test_folder_above_a_run_is_enough(tmp_path: Path) -> None:
    shutil.copytree(DATA / "run1", tmp_path / "checkpoint/run1")
    for above in (tmp_path, tmp_path / "checkpoint"):
        assert find(above).folder == tmp_path / "checkpoint/run1"


@pytest.mark.parametrize(("place", "shown"), [("models/124M", "models/124M"), ("checkpoint", "checkpoint")])
def test_missing_texts_are_named_with_the_folder_that_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Path(shutil.copytree(DATA / "run1", "checkpoint/run1"))
    Path(place).mkdir(parents=True, exist_ok=True)
    for name in ("hparams.json", "vocab.bpe"):
        (run / name).rename(Path(place) / name)
    assert refusal(run) == f": `hparams.json`, `vocab.bpe` missing; copy them from `{shown}`"
    shutil.copytree(place, "models/355M")
    assert refusal(run) == (
        f": `hparams.json`, `vocab.bpe` missing; copy them from the one that was fine-tuned: `{shown}` or `models/355M`"
    )


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_WHEEL), reason=NO_WHEEL)
def test_each_of_several_saves_is_what_tensorflow_reads(tmp_path: Path) -> None:
    """Let TensorFlow's Saver write three saves into one folder, and read each by its step."""
    fresh = tensorflow_writer.prepare(tmp_path, "several")
    steps = (900, 1000, 1100)
    folder = tmp_path / "several"
    theirs = read_checkpoints(*(folder / f"model-{step}" for step in steps), folder, after=[fresh])
    assert np.array_equal(theirs[-1]["model/wte"], theirs[2]["model/wte"])
    for step, saved in zip((*steps, None), theirs, strict=True):
        checkpoint = find(folder, step)
        contents = checkpoint.format.read_contents(checkpoint, checkpoint.format.read_tokenizer(checkpoint))
        assert contents.step == (step or 1100)
        tensors = {tensor.name: gather(tensor) for tensor in contents.tensors}
        for name, values in saved.items():
            assert np.array_equal(tensors[translate(name)].reshape(values.shape), values)


@pytest.mark.parametrize("end", ["", ".index", f".{SHARD}", ".meta"])
def test_path_of_a_save_chooses_it(tmp_path: Path, end: str) -> None:
    folder = make_run(tmp_path, "model-900", "model-1000", pointer="model-1000")
    (folder / "model-900.meta").touch()
    found = find_checkpoint(folder / f"model-900{end}")
    assert (found.folder, found.weights, found.notes) == (folder, (f"model-900.{SHARD}",), ())
    wanted = SourceSection(checkpoint=f"x/model-900{end}").wanted
    assert find_checkpoint(folder, wanted=wanted).files == found.files
    with pytest.raises(UserError, match=r"the path names the save `model-900`, but `source.step` is 1000; name the"):
        find_checkpoint(folder / f"model-900{end}", wanted=Wanted(step=1000))


@pytest.mark.parametrize(
    ("checkpoint", "file"),
    [
        ("runs/model.ckpt-12", "model.ckpt-12"),
        ("model.ckpt", "model.ckpt"),
        ("a/x.gguf", "x.gguf"),
        *((folder, None) for folder in ("runs/model", "models/run1", "checkpoint-500", "a/model.safetensors", ".")),
    ],
)
def test_folders_are_no_names_of_saves(checkpoint: str, file: str | None) -> None:
    """A path is no part of a key, so two folders with the same files share every step."""
    assert SourceSection(checkpoint=checkpoint).file == file
