"""Pulls the files of an artifact from a level into the store.

They are written to the folder in which the step would be made. What an interrupted pull has left there is kept if its
bytes are right, so the next pull goes on from it.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from gpt2forge.digest import Written
from gpt2forge.errors import UserError
from gpt2forge.fetch.download import check_room, download
from gpt2forge.fetch.part import has_content, measure, name_part
from gpt2forge.fetch.remote_file import Count, RemoteFile, Reply
from gpt2forge.fetch.retry import Unreachable
from gpt2forge.fetch.transfer import Transfer
from gpt2forge.remote.blob import Blob
from gpt2forge.remote.blob_tree import BlobTree
from gpt2forge.remote.level import BlobGone, Level, Refused
from gpt2forge.remote.limits import PAUSES, Deadline
from gpt2forge.remote.reach import DamagedBlob, Reach
from gpt2forge.stages.stage import Advance
from gpt2forge.store.atomic import is_folder, remove_tree
from gpt2forge.store.manifest import File, Manifest
from gpt2forge.store.rights import make_folder
from gpt2forge.store.store import Store


def pull_artifact(reach: Reach, tree: BlobTree, store: Store, key: str, advance: Advance) -> None:
    """Bring an artifact into the store. The caller holds the lock of `key`.

    Raises BlobGone or DamagedBlob if the level lacks a file or has other bytes, Unreachable, Refused or UserError if
    it fails.
    """
    level, manifest = reach.level, tree.manifest
    folder = store.name_workspace(key)
    make_folder(folder, store.root)
    clear_others(folder, manifest)
    describe = {name: describe_file(level, tree, name, file) for name, file in manifest.files.items()}
    missing = [name for name, file in describe.items() if not is_here(file, folder / name)]
    transfer = Transfer(advance)
    transfer.begin(sum(manifest.files[name].size - measure(name_part(folder / name)) for name in missing))
    check_room(folder, transfer.total, level.name)
    for name in missing:
        try:
            bring(describe[name], folder / name, transfer.count)
        except (BlobGone, DamagedBlob):
            reach.unusable.update(tree.list_blobs(manifest.files[name]))
            raise
    store.artifacts.commit(folder, {name: note_written(folder / name, file) for name, file in manifest.files.items()})


def clear_others(folder: Path, manifest: Manifest) -> None:
    """Remove whatever else than files of the manifest, or beginnings of them, is in a folder."""
    places = [folder / name for name in manifest.files]
    files = {*places, *map(name_part, places)}
    folders = {parent for place in places for parent in place.parents}
    for path in sorted(folder.rglob("*")):
        if is_folder(path) and path not in folders:
            remove_tree(path)
        elif not is_folder(path) and (path not in files or not path.is_file() or path.is_symlink()):
            path.unlink(missing_ok=True)


def is_here(file: RemoteFile, place: Path) -> bool:
    """Return whether a file was brought whole; remove it if it was not."""
    if place.is_file() and has_content(file, place):
        return True
    place.unlink(missing_ok=True)
    return False


def describe_file(level: Level, tree: BlobTree, name: str, file: File) -> RemoteFile:
    blobs = tree.list_blobs(file)
    return RemoteFile(f"{level.name}: {name}", partial(open_file, level, blobs), file.size, file.digest)


def bring(file: RemoteFile, place: Path, count: Count) -> None:
    """Download a file; once more if the bytes were damaged on the way. Raises DamagedBlob if they are again.

    All tries together have the time of one transfer, so a connection that is cut again and again ends too.
    """
    deadline = Deadline(file.name, file.size or 0)

    def count_in_time(received: int) -> None:
        deadline.check()
        count(received)

    try:
        try_to_bring(file, place, count_in_time)
    except DamagedBlob:
        try_to_bring(file, place, count_in_time)


def try_to_bring(file: RemoteFile, place: Path, count: Count) -> None:
    try:
        download(file, place, count, PAUSES)
    except (Unreachable, BlobGone, Refused):
        raise
    except UserError as error:
        raise DamagedBlob(str(error)) from error


def note_written(place: Path, file: File) -> Written:
    """Return what is known of a file whose bytes were hashed while they arrived."""
    found = place.stat()
    return Written(file.digest, found.st_size, found.st_mtime_ns)


def open_file(level: Level, blobs: Sequence[Blob], offset: int) -> AbstractContextManager[Reply]:
    """Open the file that blobs make together, from an offset on."""
    return level.open(blobs[0], offset) if len(blobs) == 1 else open_parts(level, blobs, offset)


@contextmanager
def open_parts(level: Level, blobs: Sequence[Blob], offset: int) -> Iterator[Reply]:
    yield Reply(offset, sum(blob.size for blob in blobs), read_parts(level, blobs, offset))


def read_parts(level: Level, blobs: Sequence[Blob], offset: int) -> Iterator[bytes]:
    """Yield the bytes of several blobs from an offset on."""
    start = 0
    for blob in blobs:
        if offset < start + blob.size:
            yield from read_blob(level, blob, max(0, offset - start))
        start += blob.size


def read_blob(level: Level, blob: Blob, offset: int) -> Iterator[bytes]:
    """Yield the bytes of a blob from an offset on. Raises Unreachable if it is cut, UserError if it is too long."""
    with level.open(blob, offset) as reply:
        if reply.start not in (0, offset) or reply.total not in (None, blob.size):
            raise UserError(f"{level.name}: sends another part or length of {blob.digest} than was asked for")
        at = reply.start
        for piece in reply.pieces:
            skipped = max(0, offset - at)
            at += len(piece)
            if at > blob.size:
                raise UserError(f"{level.name}: sends more bytes of {blob.digest} than it has")
            yield piece[skipped:]
    if at < blob.size:
        raise Unreachable(f"{level.name}: the connection was cut after {at} of {blob.size} bytes", "check the network")
