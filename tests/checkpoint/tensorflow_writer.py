"""Lets the real TensorFlow write tiny checkpoints, each in a way that occurs in practice.

    python -m tests.checkpoint.tensorflow_writer FOLDER CASE...   writes each case into a folder of its name

The checkpoints under tests/data are those of openai, run1, mixed, partitioned and scoped.
"""

import sys
from pathlib import Path

from interop.tensorflow_process import Command, run_modules
from tests.checkpoint.tiny import DEEP, Shape, write_openai_texts

SHAPES = {
    "openai": DEEP,
    "run1": Shape(),
    "large": Shape(n_vocab=70_000, n_ctx=64, n_embd=8),  # an embedding of more than one piece
    "mixed": Shape(),
    "partitioned": Shape(),
    "scoped": Shape(),
    "several": Shape(),
}


def prepare(folder: Path, *cases: str) -> Command:
    """Write the texts of these cases. Return the command that writes their weights in TensorFlow's process."""
    for case in cases:
        write_openai_texts(folder / case, SHAPES[case])
    return ("tests.checkpoint.tensorflow_cases", str(folder.absolute()), *cases)


if __name__ == "__main__":
    run_modules(prepare(Path(sys.argv[1]), *sys.argv[2:]))
