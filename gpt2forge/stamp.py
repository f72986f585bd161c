"""Stamps: file stats of everything that a successful build read and made, compared in a few milliseconds.

This module runs before anything else, so it imports only what Python has loaded at its start. A stamp is lines of text:

    FORMAT
    the process and the machine that the build depends on: see `describe_process`
    the file of the recipe; in a list of what a selector selects, the selector
    the number of paths and the number of warnings
    a line for each path: see `format_stat`
    the warnings
    the row that the recipe has in the table of several recipes, its cells separated by tabs
    the text that the build of this recipe alone printed

Where anything differs or cannot be read, there is no answer, and the build runs as usual.
"""

import os
import sys

from gpt2forge import regular_file

FORMAT = "gpt2forge stamp 3"
PACKAGE = os.path.dirname(os.path.abspath(__file__))
CGROUPS = "/sys/fs/cgroup"
LIMITS = ("cpu.max", "memory.max", "memory.high")
MOST = 1 << 14  # bytes to read of a file in /proc or /sys
LARGEST = 1 << 24  # bytes of a stamp; those of the largest builds have a hundredth


TITLES = ("recipe", "verdict", "size", "of float32", "as fast as PyTorch", "tokens/s", "perplexity", "KL")
"""The titles of the table of several recipes."""


class Printed:
    """The output of a build: the warnings on stderr, and on stdout the text, or with other recipes the row."""

    def __init__(self, warnings: list[str], row: tuple[str, ...], text: str) -> None:
        self.warnings, self.row, self.text = warnings, row, text


class Present:
    """The present state of the process and of paths, each looked at once for all stamps of a command."""

    def __init__(self) -> None:
        self.process = describe_process()
        self.lines: dict[str, str] = {}
        self.true: set[str] = set()

    def holds(self, lines: list[str]) -> bool:
        """Return whether the lines of paths are still true; most of a stamp's are also those of other stamps."""
        for line in [line for line in lines if line not in self.true]:
            path = line.rpartition("\t")[0]
            if path not in self.lines:
                self.lines[path] = format_stat(path)
            if self.lines[path] != line:
                return False
            self.true.add(line)
        return True


def name_stamp(name: str) -> str:
    """Return the path of a recipe's stamp, relative to the working directory."""
    return f"build/.{name}.stamp"


def name_selection(selector: str) -> str:
    """Return the path of the stamp that lists what a selector selects, as selectors of one recipe each."""
    words = (char if char.isalnum() or char in "._-@" else f"%{ord(char):x};" for char in selector)
    return f"build/.{''.join(words)}.selection"


def is_path(selector: str) -> bool:
    """Return whether a selector is a path, not a name."""
    return "/" in selector or selector.endswith((".yaml", ".yml")) or ".yaml@" in selector or ".yml@" in selector


def read_current(selectors: list[str]) -> dict[str, Printed] | None:
    """Return the output of the last build of each selected recipe; None if anything changed since."""
    try:
        present = Present()
    except OSError:  # the working directory is gone
        return None
    current: dict[str, Printed] = {}
    for selector in selectors:
        found = read_single(selector, present) or read_several(selector, present)
        if not found:
            return None
        current |= found
    return current


def read_several(selector: str, present: Present) -> dict[str, Printed] | None:
    """Return the output of the last build of each recipe that a pattern, or the name of a matrix, selects."""
    selection = read_stamp(name_selection(selector), (selector,), present)
    current: dict[str, Printed] = {}
    for single in selection.warnings if selection else ():
        found = read_single(single, present)
        if not found:
            return None
        current |= found
    return current


def read_single(selector: str, present: Present) -> dict[str, Printed] | None:
    """Return the output of the last build of the one recipe that a selector selects."""
    name, files = find_files(selector)
    found = read_stamp(name_stamp(name), files, present) if name else None
    return None if found is None else {name: found}


def find_files(selector: str) -> tuple[str, tuple[str, ...]]:
    """Return the published name of a selector of one recipe, and the files that may hold it; no name where unsure."""
    if not is_path(selector):
        file = selector.rpartition("@")[0]
        return selector, (f"recipes/{selector}.yaml", *((f"recipes/{file}.yaml",) if file else ()))
    path, at, variant = selector.removeprefix("./"), "", ""
    if not path.endswith((".yaml", ".yml")):
        if os.path.lexists(selector):  # a file whose own name has an `@`
            return "", ()
        path, at, variant = path.rpartition("@")
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return f"{stem}{at}{variant}" if "/" not in variant else "", (path,)


def read_stamp(path: str, subjects: tuple[str, ...], present: Present) -> Printed | None:
    """Return the output that a stamp holds; None if it is of none of these subjects, or not current."""
    try:
        head, process, subject, counts, *lines = regular_file.read_whole(path, LARGEST).decode().split("\n")
        paths, warnings = map(int, counts.split())
        if (head, process) != (FORMAT, present.process) or len(lines) <= paths + warnings:
            return None
        if subject not in subjects or not present.holds(lines[:paths]):
            return None
    except (OSError, ValueError):
        return None
    end = paths + warnings
    return Printed(lines[paths:end], tuple(lines[end].split("\t")), "\n".join(lines[end + 1 :]))


def format_stamp(subject: str, stats: list[str], printed: Printed) -> str:
    """Return the text of a stamp. Raises ValueError if a path, a warning or the row is not one line."""
    warnings, row = printed.warnings, "\t".join(printed.row)
    if any("\n" in line for line in (subject, *stats, *warnings, row)):
        raise ValueError("a path or a warning has several lines")
    counts = f"{len(stats)} {len(warnings)}"
    return "\n".join((FORMAT, describe_process(), subject, counts, *stats, *warnings, row, printed.text))


def format_stat(path: str) -> str:
    """Return the line of a path: the path, and what changes when anything there changes.

    A path begins with `link`, to read the link itself; with `stat`, to follow it; or with `may`, to follow it where
    nothing need exist.
    """
    kind, _, place = path.partition(" ")
    if kind == "link":
        return f"{path}\t{os.readlink(place)}"
    try:
        found = os.stat(place)
    except FileNotFoundError:
        if kind == "stat":
            raise
        return f"{path}\tnothing"
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{path}\t{found.st_dev} {found.st_ino} {found.st_mode} {found.st_size} {times}"


def describe_process() -> str:
    """Describe the program, its library paths, and the parts of the machine that measured numbers depend on."""
    threads = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    libraries = list_library_paths()
    return repr(
        (os.getcwd(), PACKAGE, sys.executable, sys.version, libraries, threads, read_processor(), read_limits())
    )


def list_library_paths() -> list[str]:
    """List the paths that Python imports from, without the program's own, which depends on how it was started.

    An editable installation puts the clone last, where it hides no installed module. It is left out too, because every
    new folder there, such as a test's, would change its stat.
    """
    paths = [path for path in sys.path if path not in ("", os.getcwd(), os.path.dirname(sys.argv[0]))]
    return paths[:-1] if paths[-1:] == [os.path.dirname(PACKAGE)] else paths


def read_processor() -> list[bytes]:
    """Read the model and features of the first processor from Linux, without values that change every second."""
    first = read_start("/proc/cpuinfo").partition(b"\n\n")[0]
    return [line for line in first.split(b"\n") if line.startswith((b"model name", b"flags", b"Features"))]


def read_limits() -> list[bytes]:
    """Read the limits of this process's own control group (cgroup v2), which in a container is the root."""
    group = read_start("/proc/self/cgroup").decode(errors="replace").partition("0::")[2].split("\n")[0].rstrip("/")
    return [read_start(f"{CGROUPS}{group}/{name}") for name in LIMITS]


def read_start(path: str) -> bytes:
    """Return the beginning of a file; empty if it cannot be read."""
    try:
        return regular_file.read_start(path, MOST)
    except OSError:
        return b""
