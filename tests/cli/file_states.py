"""Puts a file into a state that nobody expects: gone, something else, cut, damaged, huge."""

import json
import os
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gpt2forge.store.atomic import remove_tree

HUGE = 1 << 40  # bytes, of a file without blocks
LARGE = 1 << 27  # bytes, of a file that is read whole
HASHED = ("examples", "artifacts", "pk", "text")
"""Folders and files that are read to their end by right, so that a huge one takes its time."""

VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    "",
    "\x1b[31m",
    "\ud800",
    [],
    {},
    [[]],
    {"a": []},
    "x" * 5000,
    "../x",
]
RAW = [
    *(b"", b"{}", b"[]", b"null", b"0", b"\xff\xfe", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 100_000, b'{"a":' * 900),
    *(b'"\\ud800"', b"\x00" * 4096, b"\n" * 60_000, b"name: x\n" * 3000, b"a: [" * 30, b"? " * 9000, b"\x1b[31m\n"),
    *(b'{"recipe": "a"}', b"- 1\n", b"&a [*a, *a]\n", b"1" * 5000, b"version https://git-lfs.github.com/spec/v1\n"),
]


def make_nothing(path: Path, content: bytes, draw: random.Random) -> None:
    pass


def make_folder(path: Path, content: bytes, draw: random.Random) -> None:
    path.mkdir()
    if draw.random() < 0.5:
        (path / "x").write_bytes(content[:100])


def make_fifo(path: Path, content: bytes, draw: random.Random) -> None:
    os.mkfifo(path)


def make_socket(path: Path, content: bytes, draw: random.Random) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as end:  # the path may be too long
        end.bind(str(path))


def make_link(path: Path, content: bytes, draw: random.Random) -> None:
    path.symlink_to(
        draw.choice(["/dev/zero", "/dev/null", "/dev/tty", path.name, "nowhere", "/", "/proc/self/fd/0", "."])
    )


def make_raw(path: Path, content: bytes, draw: random.Random) -> None:
    path.write_bytes(draw.choice(RAW))


def make_cut(path: Path, content: bytes, draw: random.Random) -> None:
    path.write_bytes(content[: draw.randrange(len(content) + 1)])


def make_flipped(path: Path, content: bytes, draw: random.Random) -> None:
    data = bytearray(content or b"x")
    for _ in range(draw.choice([1, 1, 8, 100])):
        data[draw.randrange(len(data))] = draw.randrange(256)
    path.write_bytes(data)


def make_huge(path: Path, content: bytes, draw: random.Random) -> None:
    with path.open("wb") as file:
        file.write(content[:4096])
        file.truncate(LARGE if set(path.parts) & set(HASHED) else HUGE)


def make_unreadable(path: Path, content: bytes, draw: random.Random) -> None:
    path.write_bytes(content)
    path.chmod(0)


def make_odd_json(path: Path, content: bytes, draw: random.Random) -> None:
    """Replace one value of a JSON file; any other file gets raw bytes."""
    try:
        value = json.loads(content)
    except ValueError:
        make_raw(path, content, draw)
        return
    holders = list(list_holders(value))
    if holders:
        holder, key = draw.choice(holders)
        holder[key] = draw.choice(VALUES)
        if isinstance(holder, dict) and draw.random() < 0.3:
            del holder[key]
    path.write_text(json.dumps(value))


def list_holders(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield each container of a JSON value with a key in it; of long lists only the start."""
    keys = list(value)[:20] if isinstance(value, dict) else range(min(5, len(value))) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth < 6:
            yield from list_holders(value[key], depth + 1)


STATES: tuple[Callable[[Path, bytes, random.Random], None], ...] = (
    *(make_nothing, make_folder, make_fifo, make_socket, make_link, make_raw, make_raw, make_cut),
    *(make_flipped, make_huge, make_unreadable, make_odd_json, make_odd_json),
)


@contextmanager
def changed(path: Path, draw: random.Random) -> Iterator[str]:
    """Put a file, link or folder into a drawn state, and put it back at the end; yields what was done."""
    make, aside = draw.choice(STATES), path.with_name(f"{path.name}.put-aside")
    content = path.read_bytes() if path.is_file() else b""
    path.parent.chmod(0o755)
    path.rename(aside)
    try:
        make(path, content, draw)
        yield f"{path}: {make.__name__}"
    finally:
        if os.path.lexists(aside):  # a command may have removed the folder above
            remove_tree(path)
            aside.rename(path)
