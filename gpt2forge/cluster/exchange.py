"""Carries what steps read and make between machines that share no file system, through a remote level.

1. Whoever has files writes their blobs to the level, and tells the other side their digests through Dask. So what comes
   from the level needs no signature: its bytes are those of the digests, or are refused.
2. The client sends what a step reads. The worker takes it into a store of its own, and sends back what the step made.
3. A source is an artifact for the worker: a folder with its files, or with its only one under another name.
4. What one side has sent or taken is not sent again, and nothing in the level is ever removed from here. Blobs that one
   side finds gone or damaged are `unusable`: the other side writes them anew when it is asked again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

from gpt2forge.digest import digest_bytes
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, StepWaiting
from gpt2forge.executor.step import Waiting, make_advance
from gpt2forge.executor.task import Task
from gpt2forge.plan.source import Source
from gpt2forge.remote.address import READ_ONLY, RemoteAddress, hide_password, parse_remote
from gpt2forge.remote.blob import SourceDamaged
from gpt2forge.remote.blob_tree import BlobTree, make_blob_tree, parse_blob, parse_blob_tree, write_blob
from gpt2forge.remote.entry import describe_artifact, parse_artifact
from gpt2forge.remote.open_remote import open_level
from gpt2forge.remote.pull import pull_artifact
from gpt2forge.remote.push import push_blobs
from gpt2forge.remote.reach import OF_ONE_BLOB, Reach
from gpt2forge.stages.stage import Advance
from gpt2forge.store.manifest import File, Manifest, parse_manifest
from gpt2forge.store.records import Record
from gpt2forge.store.stat_cache import CHANGED
from gpt2forge.store.store import Store

PAUSE = 0.2  # seconds between two tries to send
SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)


@dataclass(frozen=True)
class Watch:
    """Follows a transfer: `advance` takes how far it is, `wait` is called again and again while it waits.

    Both raise KeyboardInterrupt if the build was interrupted.
    """

    advance: Advance
    wait: Callable[[], None]


def make_watch(stage: str, recipe: str, emit: Emit, stop: Event) -> Watch:
    """Return what follows the transfers of a step."""
    event = StepWaiting(stage, "another step or build that brings the same files", recipe)
    return Watch(make_advance(stage, recipe, emit, stop), Waiting(lambda: emit(event), stop))


@dataclass
class Exchange:
    """A level that a client and its workers use at `address`. `trees` are those that were sent or taken, by name.

    Every method raises UserError if the level fails.
    """

    address: str
    reach: Reach
    trees: dict[str, BlobTree] = field(default_factory=dict)
    sending: Lock = field(default_factory=Lock)

    def send_inputs(self, task: Task, watch: Watch) -> dict[str, Any]:
        """Write what a task reads to the level, and return what a worker needs to take it, as JSON."""
        trees = {kind: self.send_input(task, kind, digest, watch) for kind, digest in task.inputs.items()}
        return {
            "address": self.address,
            "inputs": {kind: tree.to_json() for kind, tree in trees.items()},
            "unusable": self.list_unusable(),
        }

    def list_unusable(self) -> list[dict[str, Any]]:
        """List the blobs that were found gone or damaged, as JSON."""
        return [write_blob(blob) for blob in list(self.reach.unusable)]  # a copy: other steps add to it

    def note_unusable(self, values: Sequence[Any]) -> None:
        """Remember the blobs that the other side has listed."""
        self.reach.unusable.update(map(parse_blob, values))

    def send_input(self, task: Task, kind: str, digest: str, watch: Watch) -> BlobTree:
        """Write an input of a task to the level."""
        source = task.sources.get(kind)
        if source is None:
            return self.send_artifact(task.store, digest, watch)
        name = f"source {digest}"
        try:
            tree = self.trees.get(name) or make_source_tree(source, digest, task.store)
            return self.send(name, tree, find_files(source), watch)
        except SourceDamaged as error:
            raise UserError(f"{source.path}: {CHANGED}") from error

    def send_artifact(self, store: Store, digest: str, watch: Watch) -> BlobTree:
        """Write an artifact of a store to the level."""
        find = store.artifacts.folder(digest).joinpath
        tree = self.trees.get(digest) or make_blob_tree(store.artifacts.read_manifest(digest), find)
        return self.send(digest, tree, find, watch)

    def send(self, name: str, tree: BlobTree, find: Callable[[str], Path], watch: Watch) -> BlobTree:
        """Write the files of a tree, which `find` finds by name, and remember the tree.

        One is written at a time, because each takes the whole network.
        """
        total, done = sum(blob.size for blob in tree.blobs), 0

        def count(size: int) -> None:
            nonlocal done
            done += size
            watch.advance(min(done, total), total, "B")

        with self.hold_sending(watch), explain_failure(watch):
            if name not in self.trees or not self.reach.unusable.isdisjoint(tree.blobs):
                push_blobs(self.reach, (replace(each, on_read=count) for each in tree.list_contents(find)))
            self.trees[name] = tree
        return tree

    @contextmanager
    def hold_sending(self, watch: Watch) -> Iterator[None]:
        while not self.sending.acquire(timeout=PAUSE):
            watch.wait()
        try:
            yield
        finally:
            self.sending.release()

    def send_made(self, store: Store, record: Record, watch: Watch) -> str:
        """Write the artifact of a record to the level; return what the other side needs to take it."""
        return json.dumps(describe_artifact(record, self.send_artifact(store, record.digest, watch)))

    def take_input(self, tree: BlobTree, store: Store, watch: Watch) -> Path:
        """Bring an input into a store, unless it is there; return its folder."""
        digest = tree.manifest.digest
        key = digest_bytes(f"exchange {digest}".encode())
        with store.lock(key, watch.wait):
            self.take(tree, store, key, watch)
        return store.artifacts.folder(digest)

    def take_made(self, text: str, task: Task, watch: Watch) -> None:
        """Bring what `send_made` sent into the store of a task, and write its record."""
        store, name = task.store, task.stage.name
        try:
            record, tree = parse_artifact(text.encode(), stage=name, key=task.key)
        except ValueError as error:
            raise UserError(f"`{name}`: the answer of its worker {error}; build again") from error
        with store.lock(task.key, watch.wait):
            self.take(tree, store, task.key, watch)
            store.records.write(record)
        self.trees[record.digest] = tree

    def take(self, tree: BlobTree, store: Store, key: str, watch: Watch) -> None:
        """Bring an artifact into a store, unless it is there. The caller holds the key.

        Raises one of OF_ONE_BLOB if a blob is gone or damaged. Others may be too, so all of the tree are written anew.
        """
        digest = tree.manifest.digest
        if store.artifacts.is_whole(digest):
            return
        store.artifacts.clear_damaged(digest)
        try:
            with explain_failure(watch):
                pull_artifact(self.reach, tree, store, key, watch.advance)
        except OF_ONE_BLOB:
            self.reach.unusable.update(tree.blobs)
            raise


@contextmanager
def explain_failure(watch: Watch) -> Iterator[None]:
    """Let errors of a level say what can be done. Raises KeyboardInterrupt in place of one that an interrupt made."""
    try:
        yield
    except OF_ONE_BLOB:
        raise
    except UserError as error:
        watch.wait()
        fix = "" if "; " in str(error) else "; mend it, or name another one with `--exchange`"
        raise UserError(f"{error}{fix}") from error


def find_files(source: Source) -> Callable[[str], Path]:
    """Return what finds the files of a source by name; a single one has another name where it is sent to."""
    return source.path.joinpath if source.find else lambda name: source.path


def make_source_tree(source: Source, digest: str, store: Store) -> BlobTree:
    """Return the blob tree of a source; of a single file, of the bytes that are used.

    Raises UserError if its digest is another one by now, or if files have names that not every file system has.
    """
    reading = source.read(store.stat_cache, lambda done, total, unit: None)
    if reading.digest != digest:
        raise UserError(f"{source.path}: {CHANGED}")
    if source.find is None:
        files = {name_only(source.path): File(digest, reading.size)}
    else:
        names = [str(file.relative_to(source.path)) for file in source.files]
        contents = {name: store.stat_cache.read(source.path / name) for name in names}
        files = {name: File(content.digest, content.stat.size) for name, content in contents.items()}
    try:
        return parse_tree(make_blob_tree(Manifest(files), find_files(source)).to_json())
    except ValueError as error:
        raise UserError(f"{source.path}: cannot be sent: {error}; rename the file") from error


def name_only(path: Path) -> str:
    """Return the name of a single file where it is sent to: its own need not fit there."""
    return "source" + (path.suffix if SUFFIX.fullmatch(path.suffix) else "")


def check_exchange(text: str) -> RemoteAddress:
    """Return the address of `--exchange`. Raises UserError if it is none, or is only read."""
    shown = f"`--exchange {hide_password(text)}`"
    try:
        address = parse_remote(text)
    except ValueError as error:
        raise UserError(f"{shown}: {error}") from error
    if address.is_read_only:
        raise UserError(f"{shown}: is written to; leave out `{READ_ONLY}`")
    return address


def open_exchange(text: str) -> Exchange:
    """Open the level at an address. Raises UserError if it is none, or its library is not installed."""
    address = check_exchange(text)
    place = str(Path(address.place).expanduser().absolute()) if address.kind == "directory" else address.place
    return Exchange(place, Reach(open_level(RemoteAddress(address.kind, place)), lambda line: None))


def parse_tree(value: Mapping[str, Any]) -> BlobTree:
    """Return the tree of an input that a client has described, which decides what its digest is."""
    return parse_blob_tree(value, parse_manifest(value["manifest"]).digest)
