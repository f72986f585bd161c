"""`recipes/NAME.lock`, in real builds."""

import shutil
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop, copy_workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    """A workshop whose recipes can be written to."""
    shop = copy_workshop(built_once, tmp_path_factory.mktemp("lock") / "here")
    (shop.folder / "recipes").unlink()
    shutil.copytree(ROOT / "recipes", shop.folder / "recipes")
    return shop


@pytest.fixture
def lock(shop: Workshop) -> Path:
    path = shop.folder / "recipes/nano-cpu-int8.lock"
    shop.run("build", "nano-cpu-int8", "--write-lock")
    return path


def test_lock_is_a_sorted_line_a_step_and_equal_each_time(shop: Workshop, lock: Path) -> None:
    text = lock.read_text()
    steps = {step["stage"]: step for step in shop.report("nano-cpu-int8", "--locked")["steps"]}
    names = ["convert", "export", "fuse", "quantize"]
    assert text == "".join(f"{name} {steps[name]['key']} {steps[name]['digest']}\n" for name in names)
    shop.run("build", "nano-cpu-int8", "--write-lock", "--store", "another")
    assert lock.read_text() == text


def test_step_that_is_another_is_named_with_its_line_and_what_changed_before_it_is_made(
    shop: Workshop, lock: Path
) -> None:
    (shop.folder / "build/nano-cpu-int8").unlink()
    recipe = shop.folder / "recipes/nano-cpu-int8.yaml"
    text = recipe.read_text()
    recipe.write_text(text.replace("granularity: 128", "granularity: 64"))
    try:
        done = shop.run("build", "nano-cpu-int8", "--locked", code=1)
        elsewhere = shop.run("build", "nano-cpu-int8", "--locked", "--store", "empty", code=1)
    finally:
        recipe.write_text(text)
    start, end = (
        "error: recipes/nano-cpu-int8.lock:4:1: `quantize` ",
        "; if this is intended, build with `--write-lock`",
    )
    change = "differs from the lock: `quantization.granularity` 128 -> 64"
    assert done.stderr.splitlines()[-1] == f"{start}{change}{end}"
    assert "built" not in done.stderr
    line = elsewhere.stderr.splitlines()[-1]  # where nothing is known of what was locked
    assert line.startswith(f"{start}has the key ") and line.endswith(end) and len(line) < 200
    assert not [row for row in elsewhere.stderr.splitlines() if row.startswith("built   quantize")]
    assert not (shop.folder / "build/nano-cpu-int8").exists()


def test_another_result_under_the_same_key_is_noticed(shop: Workshop, lock: Path) -> None:
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([f"{lines[0][:-1]}{'0' if lines[0][-1] != '0' else '1'}", *lines[1:]]) + "\n")
    line = shop.run("build", "nano-cpu-int8", "--locked", code=1).stderr.splitlines()[-1]
    assert line.startswith("error: recipes/nano-cpu-int8.lock:1:1: `convert` made the digest ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("convert\n", "recipes/nano-cpu-int8.lock:1:1: is not `stage key digest`; write it with `--write-lock`"),
        (None, "recipes/nano-cpu-int8.lock: there is no such lock; write it with `--write-lock`"),
    ],
)
def test_lock_that_cannot_be_read_is_one_line(shop: Workshop, lock: Path, text: str | None, message: str) -> None:
    lock.unlink()
    if text is not None:
        lock.write_text(text)
    assert shop.run("build", "nano-cpu-int8", "--locked", code=1).stderr == f"error: {message}\n"


def test_changed_recipe_is_not_locked(shop: Workshop) -> None:
    words = ("--write-lock", "--set", "quantization.scheme=int4", "--name", "x")
    assert shop.run("build", "nano-cpu-int8", *words, code=1).stderr.startswith(
        "error: `--write-lock` locks a whole recipe"
    )
