"""Finds what was fetched for an address. Reading it needs no network and no other library.

downloads/hf/OWNER--NAME/REVISION.json    {"commit", "folder", "files": {name: bytes}, "time"}; the files themselves lie
                                          in the cache of huggingface_hub, `folder` is their snapshot there
downloads/openai/124M/                    the files of OpenAI's model
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import COMMIT, OPENAI_SIZES, Address, HubAddress
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import write_whole

DOWNLOADS = Path("downloads")  # beside the default store, in the working directory
OPENAI_FILES = (
    *("checkpoint", "encoder.json", "hparams.json", "vocab.bpe"),
    *("model.ckpt.index", "model.ckpt.meta", "model.ckpt.data-00000-of-00001"),
)


@dataclass(frozen=True)
class Fetched:
    """A checkpoint that was fetched: its address, its folder, and the commit if it is a repository's.

    `notes` say what a user should know about it, a sentence each. `fetched` is the number of bytes that were
    transferred now.
    """

    address: str
    folder: Path
    commit: str | None = None
    notes: tuple[str, ...] = ()
    fetched: int = 0


@dataclass(frozen=True)
class Record:
    """A note of which commit was fetched for an address. `files` holds sizes in bytes, `time` seconds since 1970."""

    commit: str
    folder: str
    files: Mapping[str, int]
    time: float

    @property
    def is_whole(self) -> bool:
        """Return whether every file is still there."""
        return all(has_size(Path(self.folder) / name, size) for name, size in self.files.items())


def find_fetched(address: Address) -> Fetched:
    """Return what was fetched for an address earlier. Raises UserError if it is not here."""
    if isinstance(address, HubAddress):
        record = read_record(address)
        if record is not None and record.is_whole:
            return Fetched(str(address), Path(record.folder), record.commit)
        raise UserError(f"`{address}` is not here yet; `gpt2forge build` fetches it")
    folder = name_openai_folder(address.model)
    if all((folder / name).is_file() for name in OPENAI_FILES):
        return Fetched(str(address), folder)
    size = OPENAI_SIZES[address.model]
    raise UserError(f"`{address}` is not here yet; `gpt2forge build` fetches it, about {size}")


def find_earlier(address: Address) -> Fetched | None:
    """Return what was fetched for an address earlier; None if it is not here."""
    try:
        return find_fetched(address)
    except UserError:
        return None


def name_openai_folder(model: str) -> Path:
    return DOWNLOADS / "openai" / model


def name_record(address: HubAddress) -> Path:
    name = quote(address.revision or "main", safe="")
    return DOWNLOADS / "hf" / address.repo.replace("/", "--") / f"{name}.json"


def read_record(address: HubAddress) -> Record | None:
    """Return the record of an address; None if there is none that can be read."""
    try:
        record = Record(**json.loads(read_whole(name_record(address))))
        is_valid = COMMIT.fullmatch(record.commit) and record.files
        return record if is_valid and isinstance(record.folder, str) and isinstance(record.time, float) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def write_record(address: HubAddress, *, commit: str, folder: Path, files: Mapping[str, int]) -> None:
    """Note which commit was fetched for an address, and files of it beside those that the note names already."""
    earlier = read_record(address)
    if earlier and (earlier.commit, earlier.folder) == (commit, str(folder)):
        if files.items() <= earlier.files.items():
            return
        files = {**earlier.files, **files}
    record = Record(commit, str(folder), dict(files), time.time())
    write_whole(name_record(address), (json.dumps(asdict(record), indent=1) + "\n").encode())


def has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
