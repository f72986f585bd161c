"""Keeps a package's weights as this processor's kernels read them, in files that processes map and share.

When ONNX Runtime opens a package, it packs the weights into memory of its own, once in each process.

1. It can write what it packs beside the graph, and then maps the files. They hold the weights twice: as they were,
   which nobody reads then, and packed.
2. Kernels and their layouts depend on the processor and on ONNX Runtime. So the folder names both, and the package. One
   that names others, or whose files have another length or time than when they were written, is written anew.
3. The graph is written as ONNX Runtime has rewritten it, and is not rewritten again when it is opened.
4. One process at a time looks, writes and opens: a second one would write the folder too, in place of one in use.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import onnxruntime as ort

from gpt2forge.checkpoint.untrusted_text import read_object
from gpt2forge.errors import UserError
from gpt2forge.graph.model_file import GRAPH_FILE
from gpt2forge.runtime.prompt_cache_file import digest_package
from gpt2forge.runtime.session import make_options, start_session

NOTE = "packed.json"
DATA = "model.onnx_data"
SMALLEST = 1024  # bytes of a weight that is not written into the graph
SAVE = {
    "session.save_external_prepacked_constant_initializers": "1",
    "session.optimized_model_external_initializers_file_name": DATA,
    "session.optimized_model_external_initializers_min_size_in_bytes": str(SMALLEST),
}


def open_packed(folder: Path, packed: Path, processor: str, threads: int = 0) -> ort.InferenceSession:
    """Open the package in `folder` with the weights that the folder `packed` keeps for a processor.

    They are written first unless they are there. Raises UserError if `packed` holds something else, or is damaged.
    """
    made_for = {"package": digest_package(folder), "onnxruntime": ort.__version__, "processor": processor}
    options = make_options(threads, folder)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with explain_folder(packed), lock_folder(packed):
        if read_note(packed) != {**made_for, "files": stat_files(packed)}:
            write_packed(folder, packed, made_for)
        try:
            return start_session(packed / GRAPH_FILE, options)
        except Exception as error:  # the library raises many kinds
            reason = " ".join(str(error).split())[:200]
            remedy = "remove the folder, to have it written anew"
            raise UserError(f"{packed}: cannot be opened: {reason}; {remedy}") from error


@contextmanager
def explain_folder(packed: Path) -> Iterator[None]:
    """Raise UserError if a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{packed}: cannot be written: {error.strerror}; name another folder") from error


@contextmanager
def lock_folder(packed: Path) -> Iterator[None]:
    """Make other processes wait that want packed weights in the same place, where the file system has locks."""
    packed.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(packed.parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_note(packed: Path) -> dict[str, object] | None:
    """Return what a folder says that its weights were packed for; None if there is no folder, or an empty one."""
    if not packed.exists() or (packed.is_dir() and not any(packed.iterdir())):
        return None
    if not (packed / NOTE).is_file():
        raise UserError(f"{packed}: is no folder of packed weights; name a new folder")
    return dict(read_object(packed / NOTE))


def stat_files(packed: Path) -> dict[str, list[int]]:
    """Return the length and the time of the last write, in nanoseconds, of each file but the note."""
    found = {path.name: path.stat() for path in sorted(packed.glob("*")) if path.name != NOTE}
    return {name: [each.st_size, each.st_mtime_ns] for name, each in found.items()}


def write_packed(folder: Path, packed: Path, made_for: dict[str, str]) -> None:
    """Write the folder, in place of an earlier one of its kind; it appears whole."""
    aside = packed.with_name(f".{packed.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        options = make_options(1, folder)
        options.optimized_model_filepath = str(aside / GRAPH_FILE)
        for name, value in SAVE.items():
            options.add_session_config_entry(name, value)
        ort.InferenceSession(folder / GRAPH_FILE, options, providers=["CPUExecutionProvider"])
        note = {**made_for, "files": stat_files(aside)}
        (aside / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        if packed.exists():
            shutil.rmtree(packed)
        aside.rename(packed)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
