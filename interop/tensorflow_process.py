"""Runs modules that import TensorFlow, in a process and an environment of their own.

No process loads both TensorFlow and PyTorch: TensorFlow's libraries crash together with Triton's, which PyTorch loads.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from interop.environments import HERE, EnvironmentFault, make_python

RUN, SAVE, READ = (f"interop.tensorflow.{name}" for name in ("run", "save", "read"))
NO_WHEEL = "TensorFlow 2.21 has no wheel for Python 3.14 or newer" if sys.version_info >= (3, 14) else ""

Command = tuple[str, ...]
"""A module and its arguments, as `python -m` takes them."""


class TensorFlowFault(Exception):
    """A module failed in TensorFlow's process. The message is one line, and a note holds the traceback."""


def make_tensorflow() -> Path:
    """Return the interpreter that has TensorFlow; the first call takes a minute or two.

    Raises EnvironmentFault if it cannot be made.
    """
    if NO_WHEEL:
        raise EnvironmentFault(f"{NO_WHEEL}; use Python 3.11, 3.12 or 3.13")
    return make_python("tensorflow")


def run_modules(*commands: Command) -> None:
    """Run the commands in order in one process, because TensorFlow takes four seconds to start.

    Raises EnvironmentFault or TensorFlowFault.
    """
    python = [str(make_tensorflow()), "-m", RUN]
    done = subprocess.run(
        python, input=json.dumps(commands), cwd=HERE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() if done.returncode > 0 else []  # a killed process reports nothing
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        fault = TensorFlowFault(f"TensorFlow's process failed: {reason}")
        fault.add_note(done.stderr)
        raise fault


def save_variables(tensors: Mapping[str, np.ndarray], prefix: Path) -> None:
    """Let TensorFlow's Saver write the checkpoint `prefix`, and beside it the file `checkpoint` that names it."""
    with TemporaryDirectory() as scratch:
        values = Path(scratch) / "values.npz"
        np.savez(values, **tensors)
        run_modules((SAVE, str(values), str(prefix.absolute())))


def read_checkpoints(*checkpoints: Path, after: Sequence[Command] = ()) -> list[dict[str, np.ndarray]]:
    """Let TensorFlow read all tensors of each checkpoint, after running the commands `after` in the same process.

    A checkpoint is a prefix, or a folder whose file `checkpoint` names one. bfloat16 is returned as float32.
    """
    with TemporaryDirectory() as scratch:
        values = Path(scratch) / "values.npz"
        run_modules(*after, (READ, str(values), *(str(checkpoint.absolute()) for checkpoint in checkpoints)))
        with np.load(values) as arrays:
            found: list[dict[str, np.ndarray]] = [{} for _ in checkpoints]
            for key in arrays.files:
                number, _, name = key.partition("/")
                found[int(number)][name] = arrays[key]
    return found
