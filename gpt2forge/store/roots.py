"""Roots: notes of which artifacts the outputs of all working directories use, so that none in use is evicted.

roots/<digest of the output's path>.json    {"output", "recipe", "steps": {stage: digest}, "time"}
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from gpt2forge.digest import digest_bytes
from gpt2forge.errors import UserError
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Root:
    """An output with the artifacts of its last build, by stage; `time` of that build is in seconds since 1970."""

    output: str
    recipe: str
    steps: Mapping[str, str]
    time: float

    @property
    def is_gone(self) -> bool:
        """Return whether the output was removed. One in a folder that this process cannot see may still exist."""
        return can_see(Path(self.output).parent) and not Path(self.output).is_symlink()

    def list_kept(self, store: Store) -> set[str]:
        """List the artifacts that must stay: the published one, or all of the last build if the link cannot be read."""
        if not can_see(Path(self.output).parent):
            return set(self.steps.values())
        return find_target(store, Path(self.output))


def can_see(folder: Path) -> bool:
    """Return whether this process can read the links in a folder, which may belong to another user."""
    return os.access(folder, os.X_OK) and folder.is_dir()


def find_target(store: Store, output: Path) -> set[str]:
    """Return the artifact of this store that an output links to; the empty set if it links elsewhere."""
    place = Path(os.path.realpath(output))  # unlike Path.resolve, it accepts a link to itself
    return {place.name} if output.is_symlink() and place == store.artifacts.folder(place.name).resolve() else set()


def find_whole(output: Path) -> Path:
    """Return the absolute path of an output without following the output itself, which is a link."""
    return output.parent.resolve() / output.name


def name_root(store: Store, output: Path) -> Path:
    return store.root / "roots" / f"{digest_bytes(str(find_whole(output)).encode())}.json"


def register(store: Store, output: Path, recipe: str, steps: Mapping[str, str]) -> None:
    """Note an output before it is published. Raises OSError if the store cannot be written."""
    root = Root(str(find_whole(output)), recipe, steps, time.time())
    replace_text(name_root(store, output), json.dumps(asdict(root)))


def list_roots(store: Store) -> dict[Path, Root]:
    """Read every note, by its path. Raises UserError if one cannot be read, because its output may be in use."""
    return {path: read_root(path) for path in sorted((store.root / "roots").glob("*.json"))}


def read_root(path: Path) -> Root:
    try:
        root = Root(**json.loads(read_whole(path)))
        if not all(isinstance(word, str) for word in (root.output, root.recipe, *root.steps.values())):
            raise TypeError("a root holds strings only")
        float(root.time)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: is damaged; remove it, and build again what is to be kept") from error
    return root
