"""gpt2forge with the weights packed in a folder beside the package, which the first process writes."""

from pathlib import Path

from bench.writers import ours
from gpt2forge.measure.host import describe_processor
from gpt2forge.runtime.open_model import Packed, open_model


class Writer(ours.Writer):
    def __init__(self, path: Path, threads: int) -> None:
        self.model = open_model(path, threads, Packed(name_packed(path), describe_processor()))


def name_packed(path: Path) -> Path:
    """Return the folder of a package's packed weights."""
    return path.with_name(f"{path.name}, packed")
