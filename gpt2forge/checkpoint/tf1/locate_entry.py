"""Turns an entry of a TensorFlow checkpoint's index into a tensor of a file."""

from pathlib import Path

from gpt2forge.checkpoint.contents import SourceTensor
from gpt2forge.checkpoint.format import Checkpoint
from gpt2forge.checkpoint.tf1.bundle_index import BundleEntry
from gpt2forge.checkpoint.tf1.leveldb import unmask
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import UserError


def find_index(checkpoint: Checkpoint) -> Path:
    """Return the path of the file that lists the tensors."""
    return checkpoint.folder / next(name for name in checkpoint.files if name.endswith(".index"))


def make_source(checkpoint: Checkpoint, name: str, stored_name: str, entry: BundleEntry) -> SourceTensor:
    """Return an entry of the index as a tensor. Raises UserError if its shard does not exist."""
    count = len(checkpoint.weights)
    if entry.shard >= count:
        shown = f"{quote_untrusted(stored_name)} lies in shard {entry.shard} of {count}"
        raise UserError(f"{find_index(checkpoint)}: {shown}")
    return SourceTensor(
        name=name,
        dtype=entry.dtype,
        shape=entry.shape,
        path=checkpoint.folder / checkpoint.weights[entry.shard],
        offset=entry.offset,
        nbytes=entry.size,
        crc=unmask(entry.crc),
    )
