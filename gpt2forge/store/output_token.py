"""The token of a folder of outputs, its file `.token`: a random word that no other folder has.

A path does not tell folders apart: a project moves and another takes its place, or each of two containers has its own
folder at one path. The token moves with the folder. A copy of the folder has another inode, so its token counts for
nothing, and it gets a new one.

Containers share the lower layers of their image, and with them a token that one holds. So in an overlay the token
counts together with the upper layer, which each container has of its own.
"""

import os
import re
import secrets
from pathlib import Path

from gpt2forge.digest import digest_bytes
from gpt2forge.regular_file import read_start
from gpt2forge.store.locks import acquire

FILE = ".token"
TEXT = re.compile(r"([0-9a-f]{32}) (\d{1,20})\n")
MOST = 64  # bytes to read
MOUNTS = "/proc/self/mountinfo"
MOST_MOUNTS = 1 << 24  # bytes to read
UPPER = re.compile(r"(?:^|,)upperdir=([^,]*)")


def read_token(folder: Path) -> str | None:
    """Return the token of a folder; None if it has none of its own, or if it cannot be read."""
    try:
        return parse_token(read_start(folder / FILE, MOST), folder)
    except OSError:
        return None


def parse_token(data: bytes, folder: Path) -> str | None:
    """Return the token in a file's bytes; None unless it was made for this folder."""
    found = TEXT.fullmatch(data.decode(errors="replace"))
    return found[1] + mark_layer(folder) if found and int(found[2]) == folder.stat().st_ino else None


def mark_layer(folder: Path) -> str:
    """Return a mark of the container that alone sees a folder in an overlay; empty for any other folder."""
    upper = find_upper_layer(folder.stat().st_dev)
    return "" if upper is None else f"@{digest_bytes(os.fsencode(f'{os.uname().nodename} {upper}'))[:16]}"


def find_upper_layer(device: int) -> str | None:
    """Return the path of the upper layer of a mounted overlay; None for another file system, or without /proc.

    Each line of the list of mounts ends in the file system, its source and its options: see proc_pid_mountinfo(5).
    """
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = os.fsdecode(read_start(MOUNTS, MOST_MOUNTS)).splitlines()
    except OSError:
        return None
    ends = (line.partition(" - ")[2].split(" ") for line in lines if line.split(" ")[2:3] == [number])
    found = (UPPER.search(options) for kind, _, options in ends if kind == "overlay")
    return next((upper[1] for upper in found if upper), None)


def make_token(folder: Path) -> str:
    """Return the token of a folder, and make both if they are missing. Raises OSError if it cannot be written."""
    known = read_token(folder)  # another user may own it
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    with os.fdopen(descriptor, "r+b") as file:
        acquire(descriptor, folder / FILE, lambda: None)  # two builds that begin at once get the same token
        token = parse_token(file.read(MOST), folder)
        if token is None:
            word = secrets.token_hex(16)
            file.seek(0)
            file.truncate()
            file.write(f"{word} {folder.stat().st_ino}\n".encode())
            file.flush()
            os.fsync(descriptor)
            token = word + mark_layer(folder)
    return token
