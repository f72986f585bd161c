"""A level behind the local store: what each kind of storage can do, and how it fails."""

from contextlib import AbstractContextManager
from typing import Protocol

from gpt2forge.errors import UserError
from gpt2forge.fetch.remote_file import Reply
from gpt2forge.remote.blob import Blob, Content

LARGEST_ENTRY = 1 << 24  # bytes; the largest entries have a hundredth


class BlobGone(UserError):
    """A level has no blob that an entry of it names: it was removed to make room."""


class Refused(UserError):
    """A level does not let this user read or write."""


class Level(Protocol):
    """A place that keeps blobs by their digest and entries by the key of their step.

    `name` is what messages call it. Each method raises fetch.retry.Unreachable if the storage does not answer, which
    may pass, Refused if it does not let this user, and UserError if its answer makes no sense.
    """

    @property
    def name(self) -> str: ...

    def has(self, blob: Blob) -> bool:
        """Return whether a blob is there, and as long as it must be."""

    def open(self, blob: Blob, offset: int) -> AbstractContextManager[Reply]:
        """Open a blob from an offset on. Raises BlobGone if it is not there."""

    def write(self, content: Content) -> None:
        """Keep a blob, in place of one that may be damaged. It appears whole or not at all."""

    def read_entry(self, key: str) -> bytes | None:
        """Return the entry of a key; None if there is none. Raises UserError if it is larger than LARGEST_ENTRY."""

    def write_entry(self, key: str, data: bytes) -> None:
        """Keep an entry, in place of any earlier one of its key."""
