"""Publishes a package: one symlink, replaced atomically."""

import os
from pathlib import Path

from gpt2forge.errors import UserError
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
