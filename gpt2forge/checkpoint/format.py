"""A checkpoint format: data and plain functions that find and read a checkpoint. `formats` lists every format.

To add a format, write a module that defines one `Format`, and add it to `FORMATS`. Every plan imports all formats, so
their modules must not import numpy, tokenizers or other large libraries at the top.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gpt2forge.checkpoint.contents import Contents
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a folder.

    `files` are the sorted names of all files that a conversion reads; the digest of a checkpoint covers these and no
    others. `weights` are the files among them that hold the weights, in the order in which an index numbers them.
    `notes` say what a user should know about the choice, a sentence each, without the path. `through` are the folders
    above whose names were read to find this one.
    """

    folder: Path
    format: "Format"
    files: tuple[str, ...]
    weights: tuple[str, ...]
    notes: tuple[str, ...] = ()
    through: tuple[Path, ...] = ()

    @property
    def ignored(self) -> tuple[str, ...]:
        """The sorted names of the files and folders in the folder that a conversion does not read."""
        read = {name.partition("/")[0] for name in self.files}
        return tuple(sorted(path.name for path in self.folder.iterdir() if path.name not in read))


@dataclass(frozen=True)
class Wanted:
    """A recipe's choice within a checkpoint.

    `step` is the training step of a run that saved several; None means the newest. `file` is the name of a file of the
    checkpoint, or of a TensorFlow save without its ending, where the path names one. Without `own_tokenizer` the
    tokenizer comes from elsewhere, so the checkpoint needs none. `special_tokens` in a text are read as tokens or as
    ordinary text; None means as tokens, unless the checkpoint says otherwise. With `adapter`, one is merged
    into the weights.
    """

    step: int | None = None
    own_tokenizer: bool = True
    special_tokens: Literal["token", "text"] | None = None
    adapter: bool = False
    file: str | None = None


DEFAULT = Wanted()


@dataclass(frozen=True)
class Format:
    """A checkpoint format. Each function raises UserError if the checkpoint is incomplete, damaged or not supported.

    * `name` identifies the format in the output of `gpt2forge inspect`, `title` in messages.
    * `expected_files` completes the message "put one of these there: ...".
    * `is_in(names)` returns whether a folder with files of these names holds a checkpoint of this format.
    * `find(folder, names, wanted)` returns the checkpoint. It reads no file but small indexes.
    * `read_tokenizer(checkpoint)` reads the tokenizer.
    * `read_contents(checkpoint, tokenizer)` reads the configuration and the position of each tensor, not the weights.
    """

    name: str
    title: str
    expected_files: str
    is_in: Callable[[set[str]], bool]
    find: Callable[[Path, set[str], Wanted], Checkpoint]
    read_tokenizer: Callable[[Checkpoint], SourceTokenizer]
    read_contents: Callable[[Checkpoint, SourceTokenizer], Contents]
