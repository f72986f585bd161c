"""Tests of sessions on graphs whose weights are in another folder, and on packages."""

import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpt2forge.processors import choose_threads
from gpt2forge.runtime.feeds import make_feeds, read_cache_shape, run
from gpt2forge.runtime.session import make_options, open_graph, open_package
from tests.graph.models import Tiny, distance, torch_logits


def test_graph_opens_with_weights_of_another_folder(tiny: Tiny) -> None:
    session = open_graph(tiny.graph, tiny.weights)
    ids = tiny.ids(1, 5)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(1)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 1e-4
    assert [path.name for path in tiny.graph.iterdir()] == ["model.onnx"]


def test_package_opens_with_the_weights_beside_it(tiny: Tiny, tmp_path: Path) -> None:
    for file in (tiny.graph / "model.onnx", tiny.weights / "model.safetensors"):
        shutil.copy(file, tmp_path)
    session = open_package(tmp_path, threads=1)
    ids = tiny.ids(1, 5)
    logits, _ = run(session, make_feeds(ids, read_cache_shape(session).empty(1)))
    assert distance(logits, torch_logits(tiny.model, ids)) < 1e-4


HOARD = """
import ctypes, os, sys
from pathlib import Path
from gpt2forge.measure.memory import measure_anonymous
from gpt2forge.runtime.session import open_package
allocate, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
allocate.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
blocks = [allocate(100_000) for _ in range(1000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
for block in blocks[:-1]:  # the last one keeps glibc from giving back those before it
    free(block)
before = measure_anonymous(os.getpid())
open_package(Path(sys.argv[1]))
print(before - measure_anonymous(os.getpid()))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")
def test_memory_that_only_opening_took_is_returned(tiny: Tiny, tmp_path: Path) -> None:
    for file in (tiny.graph / "model.onnx", tiny.weights / "model.safetensors"):
        shutil.copy(file, tmp_path)
    command = [sys.executable, "-c", HOARD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50_000_000


def test_session_has_the_threads_that_are_asked_for() -> None:
    assert make_options(3).intra_op_num_threads == 3
    assert make_options(0).intra_op_num_threads == choose_threads()


def test_threads_sleep_while_nobody_runs(tiny: Tiny, all_processors: None) -> None:
    """A waiting thread would take the processor time of the whole pause."""
    session = open_graph(tiny.graph, tiny.weights, threads=2)
    feeds = make_feeds(tiny.ids(1, 30), read_cache_shape(session).empty(1))
    run(session, feeds)
    used = time.process_time()
    time.sleep(0.1)
    assert time.process_time() - used < 0.03


def test_opening_and_running_say_nothing(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = tiny.fuse(tmp_path, ["attention", "skip_layer_norm", "gelu", "bias"])
    run(session, make_feeds(tiny.ids(1, 5), read_cache_shape(session).empty(1)))
    assert capfd.readouterr() == ("", "")
