"""Errors that a user can fix. The message of each is one line: where, what is wrong, how to fix it."""

import difflib
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from gpt2forge.terminal_text import escape_line

FIXABLE = set(errno.errorcode) - {errno.EBADF, errno.EFAULT}
"""Error numbers of the operating system that come from where gpt2forge runs: a full disk, missing rights, a wrong path.

The others come from a descriptor or a pointer that is wrong, which is a bug.
"""

EXHAUSTED = {
    errno.EAGAIN: "no more processes or threads can be started; raise the limit on them (`ulimit -u`, the container's "
    "`pids`) or on memory (`ulimit -v`)",
    errno.EMFILE: "too many files are open; raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine; close some programs",
    errno.ENOMEM: "there is not enough memory; free some, or raise the limit (`ulimit -v`, the container's)",
}
"""The things that a program runs out of, by error number, and what to do."""
OTHERS = {
    "can't start new thread": EXHAUSTED[errno.EAGAIN],
    "Symlink loop from": "a link leads back to itself; remove it",
}
"""The beginnings of RuntimeErrors that do not come from a bug, and what to do. pathlib reports loops so before 3.13."""
LONGEST_LINE = 4000  # characters
MOST_SHOWN = 200  # characters of a text that is not UTF-8
MOST_FAULTS = 100  # that a message lists


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file that a person edits. Lines and columns count from 1; line 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class UserError(Exception):
    """An error that the user can fix. The message is one line: where, what is wrong, how to fix it.

    Several errors at once have a line each. Names and values in a line are escaped, so that none begins another line.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(shorten(escape_line(line)) for line in lines))


def shorten(line: str) -> str:
    """Cut a line that nobody would read to its end."""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


def is_fixable(error: BaseException) -> bool:
    """Return whether a user can fix the error, so that it is reported in one line, without a traceback."""
    if isinstance(error, OSError):
        return error.errno in FIXABLE
    return isinstance(error, UserError | MemoryError) or is_undecodable(error) or explain_other(error) is not None


def is_undecodable(error: BaseException) -> bool:
    """Return whether an error comes from bytes of a name that are not UTF-8, which Python holds as surrogates."""
    return isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason


def explain_other(error: BaseException) -> str | None:
    """Return the explanation of an error in OTHERS; None for any other."""
    known = (fix for start, fix in OTHERS.items() if str(error).startswith(start))
    return next(known, None) if isinstance(error, RuntimeError) else None


def format_fixable(error: BaseException) -> str:
    """Return the one line for an error that a user can fix; several for a UserError that has several."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        return escape_line(format_os_error(error))
    if isinstance(error, MemoryError):
        return format_exhausted(errno.ENOMEM)
    if isinstance(error, UnicodeEncodeError):
        return f"{ascii(error.object)[:MOST_SHOWN]}: is not UTF-8; give that file or folder another name"
    return f"{escape_line(str(error))}: {explain_other(error)}; then run again"


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
        more = len(self.faults) - MOST_FAULTS
        rest = [f"there are {more} more faults; correct these first"] if more > 0 else []
        super().__init__(*(str(fault) for fault in self.faults[:MOST_FAULTS]), *rest)


def suggest(word: str, known: Sequence[str]) -> str:
    """Return the end of a message: the known name that is nearest to `word`, or all known names if none is near."""
    return suggest_close(word, known) or (
        f"; there {'are' if len(known) > 1 else 'is'} {quote(known)}" if known else ""
    )


def suggest_close(word: str, known: Sequence[str]) -> str:
    """Return the end of a message: the known name that is nearest to `word`, in any case; empty if none is near."""
    small = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), small, n=1)
    return f"; did you mean `{small[close[0]]}`?" if close else ""


def quote(words: Sequence[str]) -> str:
    """Return words in backticks, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


WORDS: dict[type, str] = {str: "text (str)", Integral: "a whole number", Real: "a number"}


def check_argument(name: str, value: object, kind: type) -> None:
    """Raise TypeError unless the value is of this kind; `True` and `False` are no numbers."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {WORDS[kind]}, not {type(value).__name__}")
