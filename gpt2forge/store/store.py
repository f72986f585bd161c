"""The store: records (key to digest), artifacts (digest to files) and the stat cache, in one folder.

records/<stage>/<key>.json     see store/records.py; a record is written last
records/<stage>/index          see store/record_index.py
artifacts/<digest>...          see store/artifacts.py
locks/<key>, held              see store/locks.py; a key is locked while its step is made
making/<key>/                  the folder in which a step is made; the next build clears what a killed one left
damaged/                       whatever was found damaged, until garbage collection removes it
stat_cache/                    see store/stat_cache.py
logs/  roots/                  the output of each step; see store/roots.py
gpt2forge-store                the marker, without which nothing is removed; see store/marker.py
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.artifacts import Artifacts, LocalArtifacts
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.locks import hold_store, lock_key
from gpt2forge.store.marker import mark_store
from gpt2forge.store.records import LocalRecords, Record, Records
from gpt2forge.store.rights import make_folder, share_file
from gpt2forge.store.stat_cache import StatCache


@dataclass(frozen=True)
class Pushed:
    """What was written to a remote level: how many steps it has now, and how many bytes were sent for them.

    `failed` is how many steps it has not, because it failed or a file of theirs is damaged.
    """

    level: str
    steps: int
    size: int
    failed: int = 0


class Store:
    """A store in a folder, which need not exist yet.

    A query opens it with `is_read_only`: then the stat cache keeps new entries in memory, and `hold` creates no file.
    `has_remote`: there are levels behind it, and `can_push`: a key to sign what is written to them. Raises UserError if
    something else is in its place.
    """

    has_remote = False
    can_push = False

    def __init__(
        self,
        root: Path,
        *,
        is_read_only: bool = False,
        records: Records | None = None,
        artifacts: Artifacts | None = None,
    ) -> None:
        if root == Path():
            raise UserError("the store cannot be the working directory itself; name a folder for it")
        if root.exists() and not root.is_dir():
            raise UserError(f"{root}: cannot be a store: Not a directory; choose another with `--store`")
        self.root = root
        self.is_read_only = is_read_only
        self.stat_cache = StatCache(root / "stat_cache", is_read_only)
        self.records = records or LocalRecords(root, is_read_only)
        self.artifacts = artifacts or LocalArtifacts(root, self.stat_cache)

    def find(self, stage: str, key: str) -> Record | None:
        """Return the record of a step if its artifact is whole. A damaged artifact stays where it is."""
        record = self.records.find(stage, key)
        return record if record and self.artifacts.is_whole(record.digest) else None

    def find_evicted(self, stage: str, key: str) -> Record | None:
        """Return the record of a step if its artifact was removed to free space."""
        record = self.records.find(stage, key)
        return record if record and self.artifacts.is_evicted(record.digest) else None

    def can_restore(self, stage: str, key: str) -> bool:
        """Return whether a remote level may have the artifact of a step that has a record but is not whole here."""
        return False

    def restore(self, stage: str, key: str, advance: Callable[[int, int, str], None]) -> Record | None:
        """Bring the artifact of a step from a remote level; None if none has it. The caller holds the key's lock."""
        return None

    def describe_origin(self, key: str) -> str:
        """Return from which remote level the artifact of a step was brought; empty if it was not."""
        return ""

    def push(self, steps: Iterable[tuple[str, str]]) -> Sequence[Pushed]:
        """Write steps, each a stage and a key, to the remote levels that lack them; return what was written."""
        return ()

    def clear_damaged(self, stage: str, key: str) -> None:
        """Put the artifact of a step aside if it is damaged. The caller is about to make the step again."""
        record = self.records.find(stage, key)
        if record:
            self.artifacts.clear_damaged(record.digest)

    def log(self, stage: str, key: str) -> Path:
        """Return the path of the file that takes a step's output. See `make_log`."""
        return self.root / "logs" / f"{stage}-{key[:16]}.log"

    def make_log(self, stage: str, key: str) -> Path:
        """Make an empty log of a step, in place of one that may belong to another user, and return its path."""
        log = self.log(stage, key)
        make_folder(log.parent, self.root)
        remove_tree(log)
        log.touch()
        share_file(log)
        return log

    @contextmanager
    def lock(self, key: str, wait: Callable[[], None] = lambda: None) -> Iterator[int]:
        """Hold a key and yield the descriptor that holds it. See locks.lock_key."""
        with lock_key(self.root, key, wait) as descriptor:
            yield descriptor

    @contextmanager
    def hold(self, alone: bool = False, wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Protect artifacts from removal, or remove some `alone`. See locks.hold_store."""
        if not (alone or self.is_read_only):
            mark_store(self.root)
        with hold_store(self.root, alone, self.is_read_only, wait):
            yield

    def make_workspace(self, key: str) -> Path:
        """Make an empty folder to make a step in. The caller holds the key's lock."""
        mark_store(self.root)
        folder = self.name_workspace(key)
        remove_tree(folder)
        make_folder(folder, self.root)
        return folder

    def name_workspace(self, key: str) -> Path:
        """Return the path of the folder of `make_workspace`."""
        return self.root / "making" / key
