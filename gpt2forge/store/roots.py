"""What the outputs of all working directories hold in a store: so that nothing in use is thrown away.

roots/<digest of the output's path>.json    {"output", "recipe", "steps": {stage: digest}, "time"}
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
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
    def is_live(self) -> bool:
        """Whether the output is still there; somebody may have removed it, or its working directory."""
        return Path(self.output).is_symlink()

    def find_published(self, store: Store) -> str | None:
        """The artifact of this store that the output leads to now; None where it leads elsewhere or is gone."""
        place = Path(self.output).resolve()
        return place.name if place.is_dir() and place == store.folder(place.name).resolve() else None


def register(store: Store, output: Path, recipe: str, steps: Mapping[str, str]) -> None:
    """Note an output. On a store that cannot be written nothing can be thrown away either."""
    whole = output.parent.resolve() / output.name
    place = store.root / "roots" / f"{digest_bytes(str(whole).encode())}.json"
    aside = place.with_suffix(".aside")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(asdict(Root(str(whole), recipe, steps, time.time()))))
        aside.replace(place)


def list_roots(store: Store) -> dict[Path, Root]:
    """Every output that was noted, by its file; raises UserError where one cannot be read, for it may be in use."""
    return {path: read_root(path) for path in sorted((store.root / "roots").glob("*.json"))}


def read_root(path: Path) -> Root:
    try:
        return Root(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: is damaged; remove it, and build again what is to be kept") from error
