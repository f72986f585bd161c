"""Carries what steps read and make between machines that share no file system, through a remote level.

1. Whoever has files writes their blobs to the level, and tells the other side their digests through Dask. So what comes
   from the level needs no signature: its bytes are those of the digests, or are refused.
2. The client sends what a step reads. The worker takes it into a store of its own, and sends back what the step made.
3. A source is an artifact for the worker: a folder with its files, or with its only one.
4. What the level has is not sent again, and nothing in it is ever removed from here. Blobs that one side finds gone or
   damaged are `unusable`: the other side writes them anew when it is asked again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from gpt2forge.digest import digest_bytes
from gpt2forge.errors import UserError
from gpt2forge.executor.task import Task
from gpt2forge.plan.source import Source
from gpt2forge.remote.address import READ_ONLY, RemoteAddress, parse_remote
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
from gpt2forge.store.store import Store


@dataclass
class Exchange:
    """A level that a client and its workers use at `address`. `trees` are those that were sent or taken, by digest.

    Every method raises UserError if the level fails.
    """

    address: str
    reach: Reach
    trees: dict[str, BlobTree] = field(default_factory=dict)
    sending: Lock = field(default_factory=Lock)

    def send_inputs(self, task: Task, advance: Advance) -> dict[str, Any]:
        """Write what a task reads to the level, and return what a worker needs to take it, as JSON."""
        trees = {kind: self.send_input(task, kind, digest, advance) for kind, digest in task.inputs.items()}
        return {
            "address": self.address,
            "inputs": {kind: tree.to_json() for kind, tree in trees.items()},
            "unusable": self.list_unusable(),
        }

    def list_unusable(self) -> list[dict[str, Any]]:
        """List the blobs that were found gone or damaged, as JSON."""
        return [write_blob(blob) for blob in self.reach.unusable]

    def note_unusable(self, values: Sequence[Any]) -> None:
        """Remember the blobs that the other side has listed."""
        self.reach.unusable.update(map(parse_blob, values))

    def send_input(self, task: Task, kind: str, digest: str, advance: Advance) -> BlobTree:
        """Write an input of a task to the level. One is written at a time, because each takes the whole network."""
        source = task.sources.get(kind)
        with self.sending:
            if source is None:
                return self.send_artifact(task.store, digest, advance)
            try:
                return self.send(f"source {digest}", find_folder(source), list_files(source, task.store), advance)
            except SourceDamaged as error:
                fix = "changed while it was being read; build again when nothing writes to it"
                raise UserError(f"{source.path}: {fix}") from error

    def send_artifact(self, store: Store, digest: str, advance: Advance) -> BlobTree:
        """Write an artifact of a store to the level."""
        return self.send(digest, store.artifacts.folder(digest), store.artifacts.read_manifest(digest), advance)

    def send(self, name: str, folder: Path, manifest: Manifest, advance: Advance) -> BlobTree:
        """Write the files of a folder to the level, and remember their tree under a name."""
        tree = self.trees.get(name) or make_blob_tree(manifest, folder)
        contents, done = tree.list_contents(folder), 0
        for content in contents:
            push_blobs(self.reach, [content])
            done += content.blob.size
            advance(done, sum(blob.size for blob in tree.blobs), "B")
        self.trees[name] = tree
        return tree

    def send_made(self, store: Store, record: Record, advance: Advance) -> str:
        """Write the artifact of a record to the level; return what the other side needs to take it."""
        return json.dumps(describe_artifact(record, self.send_artifact(store, record.digest, advance)))

    def take_input(self, tree: BlobTree, store: Store, advance: Advance) -> Path:
        """Bring an input into a store, unless it is there; return its folder."""
        digest = tree.manifest.digest
        key = digest_bytes(f"exchange {digest}".encode())
        with store.lock(key):
            self.take(tree, store, key, advance)
        return store.artifacts.folder(digest)

    def take_made(self, text: str, task: Task, advance: Advance) -> None:
        """Bring what `send_made` sent into the store of a task, and write its record."""
        store, name = task.store, task.stage.name
        try:
            record, tree = parse_artifact(text.encode(), stage=name, key=task.key)
        except ValueError as error:
            raise UserError(f"`{name}`: the answer of its worker {error}; build again") from error
        self.trees[record.digest] = tree
        with store.lock(task.key):
            self.take(tree, store, task.key, advance)
            store.records.write(record)

    def take(self, tree: BlobTree, store: Store, key: str, advance: Advance) -> None:
        """Bring an artifact into a store, unless it is there. The caller holds the key.

        Raises one of OF_ONE_BLOB if a blob is gone or damaged. Others may be too, so all of the tree are written anew.
        """
        digest = tree.manifest.digest
        if store.artifacts.is_whole(digest):
            return
        store.artifacts.clear_damaged(digest)
        try:
            pull_artifact(self.reach, tree, store, key, advance)
        except OF_ONE_BLOB:
            self.reach.unusable.update(tree.blobs)
            raise


def find_folder(source: Source) -> Path:
    """Return the folder of a source's files."""
    return source.path.parent if source.find is None else source.path


def list_files(source: Source, store: Store) -> Manifest:
    """Return the manifest of a source; of a single file, of the bytes that are used.

    Raises UserError if a file is gone or changes.
    """
    folder, reading = find_folder(source), source.read(store.stat_cache, lambda done, total, unit: None)
    if source.find is None:
        return Manifest({source.path.name: File(reading.digest, reading.size)})
    names = [str(file.relative_to(folder)) for file in source.files]
    contents = {name: store.stat_cache.read(folder / name) for name in names}
    return Manifest({name: File(content.digest, content.stat.size) for name, content in contents.items()})


def check_exchange(text: str) -> RemoteAddress:
    """Return the address of `--exchange`. Raises UserError if it is none, or is only read."""
    try:
        address = parse_remote(text)
    except ValueError as error:
        raise UserError(f"`--exchange {text}`: {error}") from error
    if address.is_read_only:
        raise UserError(f"`--exchange {text}`: is written to; leave out `{READ_ONLY}`")
    return address


def open_exchange(text: str) -> Exchange:
    """Open the level at an address. Raises UserError if it is none, or its library is not installed."""
    address = check_exchange(text)
    place = str(Path(address.place).expanduser().absolute()) if address.kind == "directory" else address.place
    return Exchange(place, Reach(open_level(RemoteAddress(address.kind, place)), lambda line: None))


def parse_tree(value: Mapping[str, Any]) -> BlobTree:
    """Return the tree of an input that a client has described, which decides what its digest is."""
    return parse_blob_tree(value, parse_manifest(value["manifest"]).digest)
