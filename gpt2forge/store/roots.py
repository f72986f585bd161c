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
        return Path(self.output).parent.is_dir() and not Path(self.output).is_symlink()

    def list_held(self, store: Store) -> set[str]:
        """What must stay: what the output leads to; where that cannot be seen, all that the last build used."""
        if not Path(self.output).parent.is_dir():
            return set(self.steps.values())
        return find_target(store, Path(self.output))


def find_target(store: Store, output: Path) -> set[str]:
    """The artifact of this store that an output leads to; none where it leads elsewhere."""
    place = output.resolve()
    return {place.name} if output.is_symlink() and place == store.folder(place.name).resolve() else set()


def name_root(store: Store, output: Path) -> Path:
    whole = output.parent.resolve() / output.name
    return store.root / "roots" / f"{digest_bytes(str(whole).encode())}.json"


def register(store: Store, output: Path, recipe: str, steps: Mapping[str, str]) -> None:
    """Note an output, before it is published. Raises OSError where the store cannot be written."""
    place = name_root(store, output)
    aside = place.with_suffix(f".{os.getpid()}")
    place.parent.mkdir(parents=True, exist_ok=True)
    root = Root(str(output.parent.resolve() / output.name), recipe, steps, time.time())
    aside.write_text(json.dumps(asdict(root)))
    aside.replace(place)


def list_roots(store: Store) -> dict[Path, Root]:
    """Every output that was noted, by its file; raises UserError where one cannot be read, for it may be in use."""
    return {path: read_root(path) for path in sorted((store.root / "roots").glob("*.json"))}


def read_root(path: Path) -> Root:
    try:
        root = Root(**json.loads(path.read_bytes()))
        if not all(isinstance(word, str) for word in (root.output, root.recipe, *root.steps.values())):
            raise TypeError("a root is made of words")
        float(root.time)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is damaged; remove it, and build again what is to be kept") from error
    return root
