"""Opens a package to write text with, as `load` and `generate` do."""

from pathlib import Path

from gpt2forge.measure.host import describe_processor
from gpt2forge.runtime.model import Model
from gpt2forge.runtime.open_model import Packed, open_model


def open_package(folder: Path, threads: int = 0, packed: Path | None = None) -> Model:
    """Open the package in a folder; the folder `packed` keeps its weights as this processor's kernels read them.

    Raises UserError as `open_model` does.
    """
    return open_model(folder, threads, None if packed is None else Packed(packed, describe_processor()))
