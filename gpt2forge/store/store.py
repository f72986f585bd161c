"""The store: where a step's artifact is looked up, made and kept.

records/<stage>/<key>.json     what a step made; written last
artifacts/<digest>/            its files, read-only; one folder however many keys lead to it
artifacts/<digest>.json        the manifest
artifacts/<digest>.evicted     says that it was thrown away to make room: it is made anew only where it is needed
locks/<key>                    held while the step is made
making/<key>/                  where it is made; what is left of a killed build is cleared by the next
damaged/                       artifacts that no longer hold what their manifest says
stat_cache/  logs/
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gpt2forge.digest import Written, canonical_json, digest_file
from gpt2forge.errors import UserError
from gpt2forge.store.atomic import READ_ONLY_FILE, is_folder, protect_folders, remove_tree, sync, write_whole
from gpt2forge.store.locks import acquire
from gpt2forge.store.manifest import Manifest, list_files, make_manifest, parse_manifest
from gpt2forge.store.records import Record, parse_record
from gpt2forge.store.stat_cache import StatCache


class StoreBusy(UserError):
    """A build is using the store."""


@dataclass(frozen=True)
class Store:
    """A store in a folder, which need not exist yet."""

    root: Path

    def __post_init__(self) -> None:
        if self.root == Path():
            raise UserError("the store cannot be the working directory itself; name a folder for it")

    @property
    def stat_cache(self) -> StatCache:
        return StatCache(self.root / "stat_cache")

    def folder(self, digest: str) -> Path:
        """The files of an artifact."""
        return self.root / "artifacts" / digest

    def log(self, stage: str, key: str) -> Path:
        """Where a step's own output goes."""
        return self.root / "logs" / f"{stage}-{key[:16]}.log"

    def find(self, stage: str, key: str) -> Record | None:
        """The record of a step whose artifact is there and whole, else None."""
        record = self.read_made(stage, key)
        return record if record and self.check(record.digest) else None

    def find_evicted(self, stage: str, key: str) -> Record | None:
        """The record of a step whose artifact was thrown away to make room."""
        record = self.read_made(stage, key)
        return record if record and self.is_evicted(record.digest) else None

    def read_made(self, stage: str, key: str) -> Record | None:
        """The record of a step; whether its artifact is still there is not looked at."""
        record = self.read_record(self.root / "records" / stage / f"{key}.json")
        return record if record and record.key == key else None

    def is_evicted(self, digest: str) -> bool:
        return self.name_evicted(digest).is_file() and not self.folder(digest).exists()

    def name_evicted(self, digest: str) -> Path:
        return self.folder(digest).with_suffix(".evicted")

    def evict(self, digest: str) -> None:
        """Throw an artifact away. It goes in one step: what a crash leaves is a leftover."""
        write_whole(self.name_evicted(digest), b"")
        aside = self.put_aside(self.folder(digest))
        self.folder(digest).with_suffix(".json").unlink(missing_ok=True)
        remove_tree(aside)

    def records(self, stage: str) -> list[Record]:
        """Every record of a stage, newest first; whether the artifacts are still there is not looked at."""
        found = [self.read_record(path) for path in (self.root / "records" / stage).glob("*.json")]
        return sorted((record for record in found if record), key=lambda record: -record.created)

    def read_record(self, path: Path) -> Record | None:
        try:
            return parse_record(path.read_bytes())
        except OSError:
            return None

    def check(self, digest: str) -> bool:
        """Whether an artifact is there and whole. One that is damaged is put aside, never served."""
        if self.is_whole(digest):
            return True
        if os.path.lexists(self.folder(digest)):
            with self.lock(digest):
                return self.settle(digest)
        return False

    def is_whole(self, digest: str) -> bool:
        """Whether an artifact holds just what its manifest says; a file is read only if its stat is new."""
        return self.holds(digest, self.stat_cache.digest)

    def is_sound(self, digest: str) -> bool:
        """The same, every byte read: so that what rotted under an unchanged stat is found."""
        return self.holds(digest, digest_file)

    def holds(self, digest: str, digest_path: Callable[[Path], str]) -> bool:
        folder = self.folder(digest)
        if folder.is_symlink():  # what it leads to is not ours to keep as it is
            return False
        try:
            return make_manifest(folder, list_files(folder), digest_path) == self.read_manifest(digest)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def settle(self, digest: str) -> bool:
        """Whether an artifact is whole; else its place is free afterwards. The caller holds the lock of the digest.

        It is looked at again, because another process may have put it aside, or made it anew, in between.
        """
        whole, folder = self.is_whole(digest), self.folder(digest)
        if not whole and os.path.lexists(folder):
            self.put_aside(folder)
        return whole

    def read_manifest(self, digest: str) -> Manifest:
        """Raises ValueError unless the manifest is the one that this digest names."""
        manifest = parse_manifest(json.loads(self.folder(digest).with_suffix(".json").read_bytes()))
        if manifest.digest != digest:
            raise ValueError(f"the manifest of {digest} is damaged")
        return manifest

    def measure(self, digest: str) -> int:
        """Bytes of an artifact, as its manifest says; 0 where there is none that can be read."""
        try:
            return self.read_manifest(digest).size
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def put_aside(self, folder: Path) -> Path:
        """Take an artifact, or what stands in the place of something, out in one step; gives where it lies then."""
        aside = self.root / "damaged" / folder.name
        remove_tree(aside)
        aside.parent.mkdir(parents=True, exist_ok=True)
        if is_folder(folder):
            folder.chmod(0o755)  # a folder's parent can change only while it is writable
        folder.rename(aside)
        return aside

    @contextmanager
    def lock(self, key: str, wait: Callable[[], None] = lambda: None) -> Iterator[int]:
        """Hold a key: gives the descriptor that holds it. Whoever inherits the descriptor holds the lock with us.

        `wait` is called when another process holds the key, before waiting for it. Raises UserError when the store
        cannot be written.
        """
        path = self.root / "locks" / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot be written: {error.strerror}; choose another with `--store`"
            ) from error
        try:
            acquire(descriptor, wait)
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def hold(self, alone: bool = False) -> Iterator[None]:
        """Keep what lies here from being thrown away; builds do that together, and collecting wants to be alone.

        Raises StoreBusy when `alone` cannot be, for a build runs. A store that cannot be written loses nothing.
        """
        try:
            descriptor = self.open_gate()
        except OSError as error:
            if alone:
                raise UserError(f"{self.root}: cannot be written: {error.strerror}") from error
            yield
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            except BlockingIOError as error:
                raise StoreBusy(f"{self.root}: a build is using it; try again when it has ended") from error
            yield
        finally:
            os.close(descriptor)

    def open_gate(self) -> int:
        """The file that `hold` locks; to lock it, reading is enough."""
        gate = self.root / "held"
        with suppress(FileNotFoundError):
            return os.open(gate, os.O_RDONLY)
        self.root.mkdir(parents=True, exist_ok=True)
        return os.open(gate, os.O_RDONLY | os.O_CREAT, 0o644)

    def make_workspace(self, key: str) -> Path:
        """A fresh folder to make a step in. The caller holds the key's lock."""
        folder = self.root / "making" / key
        remove_tree(folder)
        folder.mkdir(parents=True)
        return folder

    def commit(self, folder: Path, written: Mapping[str, Written] = MappingProxyType({})) -> str:
        """Take a finished folder in; returns its digest. The caller holds the lock of the key it was made under.

        `written` are files that were hashed while they were written, by name: they are not read again if that can be
        remembered.
        """
        names = list_files(folder)
        for name in names:
            (folder / name).chmod(READ_ONLY_FILE)
        for name, file in written.items():
            self.stat_cache.vouch(folder / name, file)
        with ThreadPoolExecutor() as pool:  # the disk writes while the processor hashes
            synced = [pool.submit(sync, folder / name) for name in names]
            manifest = make_manifest(folder, names, self.stat_cache.digest)
            for future in synced:
                future.result()
        with self.lock(manifest.digest):
            if self.settle(manifest.digest):
                remove_tree(folder)
            else:
                self.move_in(folder, manifest)
        return manifest.digest

    def move_in(self, folder: Path, manifest: Manifest) -> None:
        place = self.folder(manifest.digest)
        self.write(place.with_suffix(".json"), canonical_json(manifest.to_json()))
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            sync(path)
        folder.rename(place)
        protect_folders(place)
        sync(place.parent)
        self.name_evicted(manifest.digest).unlink(missing_ok=True)

    def write_record(self, record: Record) -> None:
        """Make the step exist."""
        self.write(self.root / "records" / record.stage / f"{record.key}.json", record.to_bytes())

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the store; a folder that stands in its place is put aside."""
        if is_folder(path):
            self.put_aside(path)
        write_whole(path, data)
