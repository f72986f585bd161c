"""A file on a server: how it is asked for, and what is known of it before."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

Count = Callable[[int], None]
"""Is called with the number of bytes of each piece; a negative number takes back pieces that were thrown away."""


@dataclass(frozen=True)
class Reply:
    """A server's answer: the file's bytes from `start` on, and the length of the whole file (None if not known)."""

    start: int
    total: int | None
    pieces: Iterator[bytes]


Open = Callable[[int], AbstractContextManager[Reply]]
"""Asks a server for a file from an offset on. Raises Unreachable for what may pass, UserError for anything else."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server. `name` is what messages call it; `size` in bytes and digests are None where not listed.

    `sha256` is that of the content, `git_id` the sha1 that git gives a file.
    """

    name: str
    open_at: Open
    size: int | None = None
    sha256: str | None = None
    git_id: str | None = None

    @property
    def digest(self) -> str | None:
        """The digest to check."""
        return self.sha256 or self.git_id
