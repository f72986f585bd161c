"""Packed weights give the logits of the package bit for bit, and belong to one package, processor and version."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from gpt2forge.errors import UserError
from gpt2forge.runtime.decoder import Decoder, describe_decoder, open_decoder
from gpt2forge.runtime.packed_weights import NOTE, open_packed
from gpt2forge.runtime.step import Array
from tests.graph.models import Tiny
from tests.quantize.packages import SCHEMES, pack


def read(decoder: Decoder, tokens: Array) -> Array:
    """Return the logits of one pass, and of a step behind it."""
    step = decoder.start(len(tokens) + 1)
    return np.concatenate([step.read_each(tokens[None])[0], step.add([7])])


@pytest.mark.parametrize("scheme", ["float32", "int8-128", "int8-channel", "int4-32", "mixed"])
def test_logits_are_those_of_the_package(tiny: Tiny, tmp_path: Path, scheme: str) -> None:
    package, packed, tokens = tmp_path / "out", tmp_path / "packed", tiny.ids(20)
    pack(tiny, package, SCHEMES[scheme])
    wanted = read(open_decoder(package, threads=1), tokens)
    for _ in range(2):  # written, then as they are there
        session = open_packed(package, packed, "a processor", threads=1)
        assert (read(describe_decoder(package, session), tokens) == wanted).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "packed"]


@pytest.fixture(scope="module")
def package(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package") / "out"
    pack(tiny, folder, SCHEMES["int8-128"])
    return folder


def test_weights_of_another_processor_are_written_anew(package: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    written = []
    for processor in ("one", "one", "other"):
        open_packed(package, packed, processor, threads=1)
        written.append((packed / NOTE).stat().st_ino)
        assert json.loads((packed / NOTE).read_text())["processor"] == processor
    assert written[0] == written[1] != written[2]


OPEN = """
import sys, time
from pathlib import Path
from gpt2forge.runtime.packed_weights import open_packed
time.sleep(max(0.0, float(sys.argv[3]) - time.time()))
open_packed(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4], threads=1)
"""


def test_processes_that_open_at_once_each_get_a_model(package: Path, tmp_path: Path) -> None:
    packed, at = tmp_path / "new" / "packed", str(time.time() + 3)
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(package), str(packed), at, processor])
        for processor in ("one", "one", "other", "other")  # each kind replaces what the other has written
    ]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert [path.name for path in packed.parent.iterdir()] == ["packed"]


def test_a_folder_of_something_else_is_not_touched(package: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter").write_text("dear")
    with pytest.raises(UserError) as caught:
        open_packed(package, tmp_path / "mine", "one", threads=1)
    assert str(caught.value) == f"{tmp_path / 'mine'}: is no folder of packed weights; name a new folder"
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "letter"]
    (tmp_path / "empty").mkdir()
    open_packed(package, tmp_path / "empty", "one", threads=1)


def test_a_file_that_was_written_since_is_written_anew(package: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    open_packed(package, packed, "one", threads=1)
    whole = (packed / "model.onnx_data").read_bytes()
    (packed / "model.onnx_data").write_bytes(bytes(len(whole)))
    open_packed(package, packed, "one", threads=1)
    assert (packed / "model.onnx_data").read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_named(package: Path) -> None:
    with pytest.raises(UserError, match=r"^/proc/packed: cannot be written: .*; name another folder$"):
        open_packed(package, Path("/proc/packed"), "one", threads=1)


def test_a_damaged_folder_is_named(package: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    open_packed(package, packed, "one", threads=1)
    graph = packed / "model.onnx"
    before = graph.stat()
    graph.write_bytes(b"-" * before.st_size)
    os.utime(graph, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match=r"packed: cannot be opened: .*; remove the folder, to have it written anew$"):
        open_packed(package, packed, "one", threads=1)
