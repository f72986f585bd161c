"""A kind of file that holds weights in a Hugging Face directory, as data. `weight_files` lists every kind."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor


@dataclass(frozen=True)
class WeightKind:
    """A kind of file that holds weights.

    `single` is the name of the file that holds all weights. Weights in several files have an index beside them, which
    names the file of each tensor. `read(path)` returns the tensors of one file by their names, as PyTorch names and
    shapes them, and reads no weights. It raises UserError if the file is damaged. Without `has_shards` only the single
    file is read.
    """

    single: str
    read: Callable[[Path], dict[str, SourceTensor]]
    has_shards: bool = True

    @property
    def index(self) -> str:
        """The name of the index."""
        return f"{self.single}.index.json"

    @property
    def suffix(self) -> str:
        return Path(self.single).suffix
