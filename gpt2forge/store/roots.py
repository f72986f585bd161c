"""What the outputs of all working directories hold in a store: so that nothing in use is thrown away.

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
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Root:
    """An output with the artifacts of its last build, by stage; `time` is that of the build, in seconds since 1970."""

    output: str
    recipe: str
    steps: Mapping[str, str]
    time: float

    @property
    def is_gone(self) -> bool:
        """Whether somebody removed the output. One whose folder cannot be seen from here may be there all the same."""
        return can_see(Path(self.output).parent) and not Path(self.output).is_symlink()

    def list_held(self, store: Store) -> set[str]:
        """What must stay: what the output leads to; where that cannot be seen, all that the last build used."""
        if not can_see(Path(self.output).parent):
            return set(self.steps.values())
        return find_target(store, Path(self.output))


def can_see(folder: Path) -> bool:
    """Whether there is a folder whose links can be read; that of another user may be closed to this one."""
    return os.access(folder, os.X_OK) and folder.is_dir()


def find_target(store: Store, output: Path) -> set[str]:
    """The artifact of this store that an output leads to; none where it leads elsewhere."""
    place = Path(os.path.realpath(output))  # unlike Path.resolve, it takes a link that leads to itself
    return {place.name} if output.is_symlink() and place == store.folder(place.name).resolve() else set()


def find_whole(output: Path) -> Path:
    """The path from the root of the file system, the output itself being a link."""
    return output.parent.resolve() / output.name


def name_root(store: Store, output: Path) -> Path:
    return store.root / "roots" / f"{digest_bytes(str(find_whole(output)).encode())}.json"


def register(store: Store, output: Path, recipe: str, steps: Mapping[str, str]) -> None:
    """Note an output, before it is published. Raises OSError where the store cannot be written."""
    root = Root(str(find_whole(output)), recipe, steps, time.time())
    replace_text(name_root(store, output), json.dumps(asdict(root)))


def list_roots(store: Store) -> dict[Path, Root]:
    """Every output that was noted, by its file; raises UserError where one cannot be read, for it may be in use."""
    return {path: read_root(path) for path in sorted((store.root / "roots").glob("*.json"))}


def read_root(path: Path) -> Root:
    try:
        root = Root(**json.loads(path.read_bytes()))
        if not all(isinstance(word, str) for word in (root.output, root.recipe, *root.steps.values())):
            raise TypeError("a root is made of words")
        float(root.time)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: is damaged; remove it, and build again what is to be kept") from error
    return root
