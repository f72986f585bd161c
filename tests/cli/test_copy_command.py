"""`gpt2forge copy` of a built recipe."""

import json
from pathlib import Path

import pytest

from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow


def test_copy_is_equal_and_can_be_written(workshop: Workshop, tmp_path: Path) -> None:
    output = workshop.build("nano-cpu-int8")
    folder = tmp_path / "ship it"
    found = json.loads(workshop.run("copy", "nano-cpu-int8", str(folder), "--json").stdout)
    assert found["files"] == sorted(path.name for path in output.iterdir())
    for name in found["files"]:
        assert (folder / name).read_bytes() == (output / name).read_bytes()
        assert (folder / name).stat().st_mode & 0o200
    (folder / "model.onnx").write_bytes(b"mine")


def test_damaged_package_is_neither_shipped_nor_run(tmp_path: Path) -> None:
    shop = make_workshop(tmp_path / "shop")
    tokenizer = shop.build("nano-cpu-int8") / "tokenizer.json"
    tokenizer.chmod(0o644)
    tokenizer.write_text("{}")
    for words in (("copy", "nano-cpu-int8", "ship"), ("generate", "nano-cpu-int8", "-p", "x")):
        done = shop.run(*words, code=1)
        message = "its files were changed or lost; build `nano-cpu-int8` again to fix them"
        assert done.stderr == f"error: build/nano-cpu-int8: {message}\n"
    assert not (shop.folder / "ship").exists()


def test_copy_that_is_cut_off_is_one_line(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    workshop.run("copy", "nano-cpu-int8", str(tmp_path / "ship"))
    for name in ("model.onnx_data", "model.onnx", "config.json", "tokenizer.json"):
        data = (tmp_path / "ship" / name).read_bytes()
        (tmp_path / "ship" / name).write_bytes(data[:50])
        done = workshop.run("generate", str(tmp_path / "ship"), "-p", "x", code=1)
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"error: {tmp_path / 'ship'}")
        assert "cannot be opened: " in done.stderr or ".json: not JSON: " in done.stderr


def test_folder_that_is_not_empty_is_left_alone(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    (tmp_path / "mine").write_text("x")
    done = workshop.run("copy", "nano-cpu-int8", str(tmp_path), code=1)
    assert done.stderr == f"error: {tmp_path}: is not empty; name a new folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("/proc/ship", "cannot be written: No such file or directory; name another folder"),
        ("text/ship", "cannot be written: Not a directory; name another folder"),
        ("build/nano-cpu-int8/ship", "is inside the directory to copy; name a folder elsewhere"),
    ],
)
def test_place_where_no_copy_can_be_is_one_line(workshop: Workshop, folder: str, message: str) -> None:
    workshop.build("nano-cpu-int8")
    (workshop.folder / "text").write_text("x")
    assert workshop.run("copy", "nano-cpu-int8", folder, code=1).stderr == f"error: {folder}: {message}\n"
    workshop.build("nano-cpu-int8")


def test_result_that_is_older_than_a_failed_build_is_warned_of(built: Workshop, tmp_path: Path) -> None:
    path = built.folder / "build/nano-cpu-int8.json"
    error = "recipes/x.yaml:6:3: `kl_mean` is 0.3, 0.1 above `max_kl: 0.2`; not published: allow more, or quantize less"
    path.write_text(json.dumps({**json.loads(path.read_text()), "output": None, "error": error}))
    for number, words in enumerate(
        (("copy", "nano-cpu-int8"), ("generate", "nano-cpu-int8", "-p", "x", "-n", "1", "-t", "0"))
    ):
        more = (str(tmp_path / f"ship-{number}"),) if words[0] == "copy" else ()
        assert built.run(*words, *more).stderr == (
            "warning: build/nano-cpu-int8: is an earlier build's result, because the last build failed: `kl_mean` is 0.3, "
            "0.1 above `max_kl: 0.2`; `--force` uses it without this warning\n"
        )
        forced = (str(tmp_path / f"forced-{number}"),) if words[0] == "copy" else ()
        assert built.run(*words, *forced, "--force").stderr == ""
    assert built.run("generate", str(tmp_path / "ship-0"), "-p", "x", "-n", "1", "-t", "0").stderr == ""
