"""The published directory as ordinary files."""

import json
from pathlib import Path

from tests.workshop import Workshop


def test_copy_is_equal_and_can_be_written(workshop: Workshop, tmp_path: Path) -> None:
    output = workshop.build("nano-cpu-int8")
    folder = tmp_path / "ship it"
    found = json.loads(workshop.run("copy", "nano-cpu-int8", str(folder), "--json").stdout)
    assert found["files"] == sorted(path.name for path in output.iterdir())
    for name in found["files"]:
        assert (folder / name).read_bytes() == (output / name).read_bytes()
        assert (folder / name).stat().st_mode & 0o200
    (folder / "model.onnx").write_bytes(b"mine")


def test_folder_that_is_not_empty_is_left_alone(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    (tmp_path / "mine").write_text("x")
    done = workshop.run("copy", "nano-cpu-int8", str(tmp_path), code=1)
    assert done.stderr == f"error: {tmp_path}: is not empty; name a new folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
