"""Downloads one file: it is written aside, resumed where it was cut, checked, and moved into its place.

1. The bytes go to `.NAME.part` beside the place. A later call goes on from there, even of another process.
2. A connection that fails or is cut is tried again, see `retry`.
3. The length must be the one that the list of files, or else the server, says; so must the digest, if one is listed.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.fetch.part import Part, name_part
from gpt2forge.fetch.remote_file import Count, RemoteFile, Reply
from gpt2forge.fetch.retry import PAUSES, Unreachable, retry
from gpt2forge.store.atomic import sync
from gpt2forge.units import format_size

AGAIN = "build again, which goes on from there"


def download(file: RemoteFile, place: Path, count: Count, pauses: Sequence[float] = PAUSES) -> None:
    """Download a file to `place` by the rules above. Raises UserError, Unreachable among them, if that fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with Part(file, name_part(place)) as part:
        retry(lambda: receive(part, count), pauses=pauses, measure_progress=lambda: part.size)
        if not part.is_right:
            part.path.unlink()
            raise UserError(
                f"{file.name}: what arrived has another digest than the one listed; "
                "a proxy or the network damaged it, build again"
            )
    sync(part.path)  # after a power failure, a file in its place must be whole
    part.path.replace(place)


def receive(part: Part, count: Count) -> None:
    """Add the missing bytes to the part. Raises Unreachable if the connection is cut before the end."""
    file = part.file
    with part.path.open("ab") as out:
        if file.size is not None and out.tell() > file.size:
            part.restart(out)
        have = out.tell()
        if have == file.size:
            return
        with file.open_at(have) as reply:
            if reply.start not in (0, have):
                raise Unreachable(f"{file.name}: the server answers with another part of the file", AGAIN)
            if reply.start != have:  # the server sends the whole file again
                part.restart(out)
                count(-have)
            total = find_length(file, reply)
            for piece in reply.pieces:
                part.append(out, piece)
                count(len(piece))
                if out.tell() > total:
                    break
    check_length(part, total)


def find_length(file: RemoteFile, reply: Reply) -> int:
    """Return the length of the whole file in bytes. Raises UserError if list and server differ, or say nothing."""
    known = {length for length in (file.size, reply.total) if length is not None}
    if not known:
        raise UserError(f"{file.name}: the server does not say how long it is; download it another way")
    if len(known) > 1:
        raise UserError(
            f"{file.name}: the server sends {reply.total} bytes, but {file.size} are listed; "
            "try again later, or check the address of the server"
        )
    return known.pop()


def check_length(part: Part, total: int) -> None:
    """Raise Unreachable if bytes are missing; remove the part and raise UserError if there are too many."""
    name, size = part.file.name, part.size
    if size < total:
        raise Unreachable(f"{name}: the connection was cut after {size} of {total} bytes", AGAIN)
    if size > total:
        part.path.unlink()
        raise UserError(f"{name}: {size} bytes arrived, but it has {total}; build again")


def check_room(folder: Path, needed: int, address: str) -> None:
    """Raise UserError if the disk of a folder has fewer bytes free than needed."""
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        sizes = f"`{address}` takes {format_size(needed)}, but only {format_size(free)} are free"
        raise UserError(f"{folder}: {sizes}; free some space")
