"""Roots: notes of which artifacts the outputs of all working directories use, so that none in use is evicted.

roots/<digest>.json    {"output", "recipe", "steps": {stage: digest}, "time", "published": [digest], "token", "device"}

1. An output is known by its path and by the token of its folder (see output_token.py): both name its note.
2. An output is gone only if its folder is at its path, has its token, and no longer has its link; or if the folder, on
   the same device and with the same token, is found under another path, to which it has moved.
3. In every other case in which the output is not found, it is in doubt: it may have moved, or be visible to another
   machine only. So everything that it may link to is kept, until `gpt2forge store forget` names it.
4. A note that cannot be read protects every artifact.
5. A note may have fields of a later version. They are kept when the note is written again.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_bytes
from gpt2forge.regular_file import read_whole
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.output_token import make_token, read_token
from gpt2forge.store.rights import make_folder
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store

NOTE = re.compile(r"[0-9a-f]{64}\.json")
LATEST = 1e11  # seconds since 1970; no clock shows more
LARGEST = 1 << 20  # bytes of a note


@dataclass(frozen=True, kw_only=True)
class Root:
    """An output with the artifacts of its last build, by stage; `time` of that build is in seconds since 1970.

    `published` holds what the output may link to: the package, and what it linked to before. `device` is that of the
    folder: a snapshot of it has the same token, but another device. An earlier version noted neither `token` nor
    `device`, and left `published` empty.
    """

    output: str
    recipe: str
    steps: Mapping[str, str]
    time: float
    published: tuple[str, ...] = ()
    token: str | None = None
    device: int | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what an output keeps when its folder moves."""
        return self.token, self.device, Path(self.output).name

    @property
    def folder(self) -> Path:
        return Path(self.output).parent

    @cached_property
    def is_found(self) -> bool:
        """Return whether the folder at the path is the output's own (rules 1 and 2)."""
        if not can_see(self.folder):
            return False
        if self.token is None:
            return find_digest(Path(self.output)) in self.steps.values()
        return read_token(self.folder) == self.token

    @property
    def is_removed(self) -> bool:
        """Return whether the link is no longer in the output's own folder."""
        return self.is_found and not Path(self.output).is_symlink()

    def list_kept(self) -> set[str]:
        """List the artifacts that must stay (rules 2 and 3)."""
        if not self.is_found:
            return set(self.published or self.steps.values())
        digest = find_digest(Path(self.output))
        return {digest} if digest else set()


def can_see(folder: Path) -> bool:
    """Return whether this process can read the links in a folder, which may belong to another user."""
    return os.access(folder, os.X_OK) and folder.is_dir()


def find_digest(output: Path) -> str | None:
    """Return the digest of the artifact that an output links to; None if it links to none.

    The store is not compared: it may have another name here, or not be visible at all.
    """
    if not output.is_symlink():
        return None
    name = Path(os.path.realpath(output)).name  # unlike Path.resolve, it accepts a link to itself
    return name if DIGEST.fullmatch(name) else None


def find_target(store: Store, output: Path) -> set[str]:
    """Return the artifact of this store that an output links to; the empty set if it links elsewhere."""
    place = Path(os.path.realpath(output))
    return {place.name} if output.is_symlink() and place == store.artifacts.folder(place.name).resolve() else set()


def find_whole(output: Path) -> Path:
    """Return the absolute path of an output without following the output itself, which is a link."""
    return output.parent.resolve() / output.name


def name_root(store: Store, output: Path) -> Path:
    """Return the path of an output's note (rule 1), also if there is none yet."""
    return name_note(store, f"{read_token(output.parent)} {find_whole(output)}")


def name_note(store: Store, identity: str) -> Path:
    return store.root / "roots" / f"{digest_bytes(os.fsencode(identity))}.json"


def register(store: Store, output: Path, *, recipe: str, steps: Mapping[str, str], package: str) -> None:
    """Note an output before its package is published. Raises OSError if the store or the output cannot be written."""
    token, before = make_token(output.parent), find_digest(output)
    root = Root(
        output=str(find_whole(output)),
        recipe=recipe,
        steps=steps,
        time=time.time(),
        published=tuple(dict.fromkeys([package, *([before] if before else [])])),  # the link still leads to the second
        token=token,
        device=output.parent.stat().st_dev,
    )
    drop_earlier(store, output)
    path = name_root(store, output)
    make_folder(path.parent, store.root)
    write_whole(path, json.dumps({**read_unknown(path), **asdict(root)}).encode())


def drop_earlier(store: Store, output: Path) -> None:
    """Remove the note that an earlier version wrote of this same link."""
    path = name_note(store, str(find_whole(output)))
    earlier = read_root(path)
    if earlier and earlier.is_found:
        path.unlink()


def read_unknown(path: Path) -> dict[str, Any]:
    """Return the fields of a note that this version does not know (rule 5)."""
    known = {field.name for field in fields(Root)}
    return {name: value for name, value in (read_fields(path) or {}).items() if name not in known}


Notes = Mapping[Path, Root | None]
"""The notes of a store by their paths, read once for one decision; None for a note that cannot be read."""


def read_notes(store: Store) -> Notes:
    """Read every note. Raises OSError if they cannot be listed."""
    folder = store.root / "roots"
    paths = sorted(folder.iterdir()) if folder.exists() else []
    return {path: read_root(path) for path in paths if NOTE.fullmatch(path.name)}


def list_owners(store: Store) -> dict[tuple[str, str], str]:
    """Return the recipe that last used each artifact, by stage and digest; nothing if the notes cannot be read."""
    try:
        roots = [root for root in read_notes(store).values() if root is not None]
    except OSError:
        return {}
    roots.sort(key=lambda root: root.time)
    return {step: root.recipe for root in roots for step in root.steps.items()}


def list_roots(notes: Notes) -> dict[Path, Root]:
    """List the outputs that may be in use, by the paths of their notes, without notes that cannot be read."""
    return select(notes, is_gone=False)


def list_gone(notes: Notes) -> dict[Path, Root]:
    """List the outputs that are certainly gone (rule 2), by the paths of their notes."""
    return select(notes, is_gone=True)


def select(notes: Notes, is_gone: bool) -> dict[Path, Root]:
    """Return the notes whose outputs are gone, or those whose outputs may be in use (rule 2)."""
    roots = {path: root for path, root in notes.items() if root is not None}
    found = {root.identity for root in roots.values() if root.is_found and root.token is not None}
    return {
        path: root
        for path, root in roots.items()
        if (root.is_removed or (not root.is_found and root.identity in found)) == is_gone
    }


def read_root(path: Path) -> Root | None:
    """Read a note, and ignore fields of a later version; None if it cannot be read."""
    values = read_fields(path) or {}
    try:
        root = Root(
            output=values["output"],
            recipe=values["recipe"],
            steps=dict(values["steps"]),
            time=float(values["time"]),
            published=tuple(values.get("published", ())),
            token=values.get("token"),
            device=values.get("device"),
        )
        return root if is_valid(root) else None
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def is_valid(root: Root) -> bool:
    """Return whether a note that was read holds values of the right kinds."""
    words = (root.output, root.recipe, *root.steps.values(), *root.published, root.token or "")
    return (
        all(isinstance(word, str) for word in words)
        and all(DIGEST.fullmatch(digest) for digest in (*root.steps.values(), *root.published))
        and Path(root.output).is_absolute()
        and "\0" not in root.output
        and (root.device is None or type(root.device) is int)
        and abs(root.time) < LATEST
    )


def read_fields(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a note; None if it is cut off or damaged."""
    try:
        value = json.loads(read_whole(path, LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
