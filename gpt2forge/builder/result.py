"""A published result that a command reads: its link is followed once, and garbage collection waits for the reader."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.builder.outputs import find_output
from gpt2forge.digest import digest_file
from gpt2forge.errors import UserError
from gpt2forge.store.artifacts import LocalArtifacts
from gpt2forge.store.manifest import Manifest, list_files, make_manifest
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Result:
    """A directory to read: `output` is what the user knows it by, and `folder` is what that leads to for this reader.

    If `folder` is an artifact, its name is the digest of its whole content, which shows any damage or mixture.
    """

    output: Path
    folder: Path

    @property
    def is_artifact(self) -> bool:
        return DIGEST.fullmatch(self.folder.name) is not None and self.folder.parent.name == "artifacts"

    @property
    def store(self) -> Store:
        """The store of an artifact, for reading alone."""
        return Store(self.folder.parent.parent, is_read_only=True)

    def check(self) -> None:
        """Raise UserError if an artifact does not hold the files that were built; only new files are read."""
        if self.is_artifact:
            self.check_sizes()
            self.check_manifest(self.describe(self.store.stat_cache.digest))

    def check_sizes(self) -> None:
        """Raise UserError if an artifact holds other files, or files of other sizes, than were built; none is read."""
        if self.is_artifact and not self.fits():
            raise UserError(self.format_damage())

    def fits(self) -> bool:
        """Return whether an artifact has the files and sizes of its manifest, or no manifest that can be read."""
        try:
            return self.read_manifest().fits(self.folder, list_files(self.folder))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return True  # whoever reads the files finds out

    def read_manifest(self) -> Manifest:
        """Read the manifest of an artifact. Raises any error of damaged JSON."""
        return LocalArtifacts(self.store.root, self.store.stat_cache).read_manifest(self.folder.name)

    def describe(self, digest: Callable[[Path], str]) -> Manifest | None:
        """Return the manifest of the files that are there; None if they cannot be read or are not ordinary files."""
        try:
            return make_manifest(self.folder, list_files(self.folder), digest)
        except (OSError, ValueError):
            return None

    def check_manifest(self, found: Manifest | None) -> None:
        """Raise UserError unless these files are the artifact."""
        if self.is_artifact and (found is None or found.digest != self.folder.name):
            raise UserError(self.format_damage())

    def check_file(self, name: str) -> None:
        """Raise UserError if an artifact holds other files than were built, or another one of this name; it is read."""
        if self.is_artifact and not self.holds(name):
            raise UserError(self.format_damage())

    def holds(self, name: str) -> bool:
        """Return whether an artifact has the files and sizes of its manifest, and in one file the bytes."""
        try:
            manifest = self.read_manifest()
            if not manifest.fits(self.folder, list_files(self.folder)):
                return False  # a file of terabytes is not read
            wanted = manifest.files.get(name)
            return wanted is None or digest_file(self.folder / name) == wanted.digest
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def format_damage(self) -> str:
        what = f"`{self.output.name}`" if self.output.is_symlink() else "its recipe"
        return f"{self.output}: its files were changed or lost; build {what} again to fix them"


@contextmanager
def open_result(selector: str) -> Iterator[Result]:
    """Find the published directory that a selector means, hold what it leads to, and check that it is whole.

    Raises UserError if nothing is published, or if files of it were changed or lost.
    """
    with hold_result(find_output(selector)) as result:
        result.check()
        yield result


@contextmanager
def hold_result(output: Path) -> Iterator[Result]:
    """Follow a path once, and hold the store of what it leads to, if that is an artifact.

    A build may publish before the store is held; then the path is followed again.
    """
    while True:
        result = follow(output)
        with hold_store_of(result):
            if follow(output) == result:
                yield result
                return


def follow(output: Path) -> Result:
    """Follow every link in a path. A path without links stays as the user wrote it, for messages."""
    place = os.path.realpath(output)
    found = Result(output, Path(place))
    return found if found.is_artifact or place != os.path.abspath(output) else Result(output, output)  # noqa: PTH100


def hold_store_of(result: Result) -> AbstractContextManager[None]:
    """Return a context that keeps garbage collection from removing the result."""
    return result.store.hold() if result.is_artifact else nullcontext()
