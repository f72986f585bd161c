"""A level in a folder that several machines share.

cas/<sha256>    blobs
ac/<key>        entries
tmp/            what is being written; the next writer removes what a killed one left

An HTTP server that serves the folder is a level too, see http_level.py, and has the same blobs and entries.
"""

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.fetch.remote_file import Reply
from gpt2forge.fetch.retry import Unreachable
from gpt2forge.regular_file import open_binary, read_whole
from gpt2forge.remote.blob import Blob, Content
from gpt2forge.remote.level import LARGEST_ENTRY, BlobGone, Refused
from gpt2forge.remote.limits import ANSWER, STALL, limit_transfer, within
from gpt2forge.store.atomic import ASIDE, sync
from gpt2forge.store.locks import try_lock
from gpt2forge.store.marker import FILE
from gpt2forge.store.rights import make_folder, share_file
from gpt2forge.store.temporary import clear_asides

PIECE = 1 << 22  # bytes to read at once


@dataclass(frozen=True)
class DirectoryLevel:
    """A level in the folder `root`, which must exist: a folder that is not mounted is no empty level."""

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    def has(self, blob: Blob) -> bool:
        with self.explained():
            return within(ANSWER, partial(self.measures, blob), self.name)

    def measures(self, blob: Blob) -> bool:
        self.check_root()
        with suppress(FileNotFoundError):
            return self.place(blob).stat().st_size == blob.size
        return False

    @contextmanager
    def open(self, blob: Blob, offset: int) -> Iterator[Reply]:
        with self.explained():
            try:
                file = within(ANSWER, partial(open_binary, self.place(blob)), self.name)
            except (FileNotFoundError, IsADirectoryError) as error:
                raise BlobGone(f"{self.name}: has no {blob.digest} any more") from error
        with file:  # what the caller raises here is no error of this level
            file.seek(offset)
            yield Reply(offset, os.fstat(file.fileno()).st_size, self.read_pieces(file))

    def read_pieces(self, file: io.FileIO) -> Iterator[bytes]:
        piece = b"-"
        while piece:
            with self.explained():
                piece = within(STALL, partial(file.read, PIECE), self.name)
            yield piece

    def write(self, content: Content) -> None:
        with self.explained():
            seconds = limit_transfer(content.blob.size)
            within(seconds, partial(self.store, self.place(content.blob), content.read()), self.name)

    def read_entry(self, key: str) -> bytes | None:
        with self.explained():
            return within(ANSWER, partial(self.read_small, key), self.name)

    def read_small(self, key: str) -> bytes | None:
        self.check_root()
        with suppress(FileNotFoundError):
            return read_whole(self.place_entry(key), LARGEST_ENTRY)
        return None

    def write_entry(self, key: str, data: bytes) -> None:
        with self.explained():
            within(limit_transfer(len(data)), partial(self.store, self.place_entry(key), iter([data])), self.name)

    def store(self, place: Path, pieces: Iterator[bytes]) -> None:
        """Write a file aside, let it reach the disk, and move it into its place."""
        self.check_root()
        aside_folder = self.root / "tmp"
        for folder in (aside_folder, place.parent):
            make_folder(folder, self.root)
        clear_asides(aside_folder)
        with tempfile.NamedTemporaryFile(dir=aside_folder, prefix=ASIDE, delete=False) as file:
            aside = Path(file.name)
            try_lock(file.fileno(), aside)  # or another writer would take it for one that a killed writer left
            try:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                share_file(aside)
                aside.replace(place)
            finally:
                with suppress(OSError):
                    aside.unlink(missing_ok=True)
        sync(place.parent)

    def check_root(self) -> None:
        """Raise Unreachable unless the folder is there, and UserError if it is a store."""
        if not self.root.is_dir():
            problem = f"{self.name}: there is no such folder"
            raise Unreachable(problem, "mount it, or make it", is_final=True)
        if (self.root / FILE).exists():
            raise UserError(f"{self.name}: is a store, and a remote is a folder of its own")

    def place(self, blob: Blob) -> Path:
        return self.root / "cas" / blob.digest

    def place_entry(self, key: str) -> Path:
        return self.root / "ac" / key

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise the errors of the file system as those of a level."""
        try:
            yield
        except PermissionError as error:
            raise Refused(f"{self.name}: {error.strerror}") from error
        except OSError as error:
            kind = Refused if error.errno == errno.EROFS else UserError
            raise kind(f"{self.name}: {error.strerror or error}") from error
