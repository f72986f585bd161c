"""Errors that a user can fix. The message of each is one line: where, what is wrong, how to fix it."""

import difflib
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

MISTAKES = {
    *(errno.EBADF, errno.ECHILD, errno.EDEADLK, errno.EDOM, errno.EFAULT, errno.EINVAL, errno.ENOTTY, errno.EPIPE),
    *(errno.ERANGE, errno.ESPIPE, errno.ESRCH),
}
"""Error numbers of the operating system that mean a mistake in a program."""
FIXABLE = set(errno.errorcode) - MISTAKES
"""All others mean that something around it is wrong: a full disk, missing rights, a file that is gone, a limit."""

MOST_SHOWN = 200  # characters of a text that is no UTF-8
NO_THREAD = "can't start new thread"  # all that Python says in that RuntimeError
EXHAUSTED = {
    errno.EAGAIN: "no more processes or threads can be started; raise the limit on them (`ulimit -u`, the container's "
    "`pids`) or on memory (`ulimit -v`)",
    errno.EMFILE: "too many files are open; raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine; close some programs",
    errno.ENOMEM: "there is not enough memory; free some, or raise the limit (`ulimit -v`, the container's)",
}
"""What a program ran out of, by error number, and what to do."""


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file that a person edits. Lines and columns count from 1; line 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class UserError(Exception):
    """An error that the user can fix. The message is one line: where, what is wrong, how to fix it."""


def is_fixable(error: BaseException) -> bool:
    """Return whether a user can fix the error, so that it is reported in one line, without a traceback."""
    return format_fixable(error) is not None


def format_fixable(error: BaseException) -> str | None:
    """Return the one line (RecipeError: lines) for an error that a user can fix; None for a bug."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FIXABLE:
        return format_os_error(error)
    if isinstance(error, MemoryError):
        return format_exhausted(errno.ENOMEM)
    if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
        return format_exhausted(errno.EAGAIN)
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:  # undecodable bytes of a name
        return f"{ascii(error.object)[:MOST_SHOWN]}: is not UTF-8; give that file or folder another name"
    return None


def format_os_error(error: OSError) -> str:
    """Return the one line for a FIXABLE error of the operating system."""
    if error.errno in EXHAUSTED:
        return format_exhausted(error.errno)
    return f"{error.filename or 'the disk'}: {error.strerror}; fix this and run again; finished steps are kept"


def format_exhausted(number: int) -> str:
    """Return the one line for an error number in EXHAUSTED."""
    return f"the system: {EXHAUSTED[number]}; then run again; finished steps are kept"


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong in a recipe."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class RecipeError(UserError):
    """All faults of a recipe at once, in line order."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def suggest(word: str, known: Sequence[str]) -> str:
    """Return the end of a message: the known name that is nearest to `word`, or all known names if none is near."""
    return suggest_close(word, known) or (
        f"; there {'are' if len(known) > 1 else 'is'} {quote(known)}" if known else ""
    )


def suggest_close(word: str, known: Sequence[str]) -> str:
    """Return the end of a message: the known name that is nearest to `word`; empty if none is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def quote(words: Sequence[str]) -> str:
    """Return words in backticks, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


WORDS: dict[type, str] = {str: "text (str)", Integral: "a whole number", Real: "a number"}


def check_argument(name: str, value: object, kind: type) -> None:
    """Raise TypeError unless the value is of this kind; `True` and `False` are no numbers."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {WORDS[kind]}, not {type(value).__name__}")
