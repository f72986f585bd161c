"""A level as one command uses it: the first failure is one warning, and the level is left alone from then on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gpt2forge.errors import UserError
from gpt2forge.remote.blob import Blob, SourceDamaged
from gpt2forge.remote.level import BlobGone, Level, Refused

Value = TypeVar("Value")


class DamagedBlob(UserError):
    """A level has other bytes under a digest than that of the blob."""


OF_ONE_BLOB = (BlobGone, DamagedBlob, SourceDamaged)
"""The errors that tell nothing about other blobs of a level."""


@dataclass
class Reach:
    """A level, and what a command has learned of it.

    `is_left`: it failed. `unusable` are the blobs that it lacks or has damaged; they are written anew.
    """

    level: Level
    warn: Callable[[str], None]
    is_read_only: bool = False
    is_left: bool = False
    unusable: set[Blob] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.level.name

    @property
    def is_writable(self) -> bool:
        """Return whether something may be written to the level."""
        return not (self.is_left or self.is_read_only)

    def ask(self, work: Callable[[], Value], otherwise: Value) -> Value:
        """Return what `work` returns; `otherwise` if the level fails now or has failed. Raises OF_ONE_BLOB."""
        if self.is_left:
            return otherwise
        try:
            return work()
        except OF_ONE_BLOB:
            raise
        except UserError as error:
            self.is_left = True
            self.warn(f"{error}; going on without this remote")
            return otherwise

    def write(self, work: Callable[[], Value], otherwise: Value, *, is_asked_for: bool) -> Value:
        """Return what `work` returns, as `ask` does. A level that refuses to be written is only read from then on.

        That is a warning only if writing `is_asked_for`.
        """

        def attempt() -> Value:
            try:
                return work()
            except Refused as error:
                self.is_read_only = True
                if is_asked_for:
                    self.warn(f"{error}; nothing is pushed to it")
                return otherwise

        return self.ask(attempt, otherwise)
