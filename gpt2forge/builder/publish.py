"""Publishes a package: one symlink, replaced atomically."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.file_lock import lock_file
from gpt2forge.store.temporary import TARGET, name_aside


def publish(output: Path, artifact: Path) -> None:
    """Make `output` a link to the artifact's folder. Raises UserError if `output` is anything but such a link."""
    target = os.path.relpath(artifact.resolve(), output.parent.resolve())
    if output.is_symlink() and str(output.readlink()) == target:
        return
    is_own_link = output.is_symlink() and TARGET.search(str(output.readlink()))
    if not is_own_link and (output.is_symlink() or output.exists()):
        raise UserError(f"{output}: is not a link that gpt2forge made; move it away and build again")
    output.parent.mkdir(parents=True, exist_ok=True)
    aside = name_aside(output.parent)
    aside.symlink_to(target)
    aside.replace(output)


@contextmanager
def hold_outputs(folder: Path) -> Iterator[None]:
    """Let no other build, in any thread or process, publish into a folder: a link and its report belong together.

    The folder itself is locked, so nothing is left there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(UserError):  # some network file systems lock no folder
            lock_file(descriptor, folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
