"""Opens regular files only, and reads no more of them than the caller allows.

A FIFO, a device or a socket in the place of a file would hang the program or never end. The errors are OSErrors, so
code that reports files which cannot be read reports these too. The stamp is read with this module, so it imports only
what Python has loaded at its start.
"""

import errno
import io
import os
import stat

SPECIAL, TOO_LARGE = errno.ENXIO, errno.EFBIG
AT_ONCE = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # an ordinary open waits for the writer of a FIFO
PIECE = 1 << 16  # bytes
LARGEST_OWN = 1 << 26  # bytes of a file that gpt2forge writes itself; the largest have a hundredth

StrPath = str | os.PathLike[str]


def open_regular(path: StrPath, flags: int = os.O_RDONLY, mode: int = 0o644) -> int:
    """Open a file and return its descriptor. Raises OSError, at once, if it is no regular file."""
    descriptor = os.open(path, flags | AT_ONCE, mode)
    try:
        check_regular(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def check_regular(mode: int, path: StrPath) -> None:
    """Raise OSError for the mode of anything but a regular file."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(SPECIAL, "a pipe, a device or a socket, not a file", os.fspath(path))


def open_binary(path: StrPath) -> io.FileIO:
    """Open a regular file for reading, without a buffer. Raises OSError for anything else."""
    return io.FileIO(open_regular(path))


def read_whole(path: StrPath, most: int = LARGEST_OWN) -> bytes:
    """Read a regular file of at most `most` bytes. Raises OSError if it is larger, or no regular file."""
    data = read_start(path, most + 1)
    if len(data) > most:
        raise OSError(TOO_LARGE, f"larger than {most} bytes", os.fspath(path))
    return data


def read_start(path: StrPath, most: int) -> bytes:
    """Read the first `most` bytes of a regular file, or all of a shorter one. Raises OSError for anything else."""
    with open_binary(path) as file:
        return read_bytes(file, most)


def read_bytes(file: io.FileIO, most: int) -> bytes:
    """Read the next `most` bytes of an open file, or all that follow if there are fewer."""
    parts, left, size = [], most, os.fstat(file.fileno()).st_size
    while left and (part := file.read(min(left, max(PIECE, size)))):
        parts.append(part)
        left, size = left - len(part), size - len(part)
    return b"".join(parts)
