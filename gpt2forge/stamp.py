"""Stamps: file stats of everything that a successful build read and made, compared in a few milliseconds.

This module runs before anything else, so it imports only what Python has loaded at its start. A stamp is lines of text:

    FORMAT
    the process and the machine that the build depends on: see `describe_process`
    the number of paths and the number of warnings
    a line for each path: see `format_stat`
    the warnings
    the text that the build printed

Where anything differs or cannot be read, there is no answer, and the build runs as usual.
"""

import os
import sys

from gpt2forge import regular_file

FORMAT = "gpt2forge stamp 1"
PACKAGE = os.path.dirname(os.path.abspath(__file__))
CGROUPS = "/sys/fs/cgroup"
LIMITS = ("cpu.max", "memory.max", "memory.high")
MOST = 1 << 14  # bytes to read of a file in /proc or /sys
LARGEST = 1 << 24  # bytes of a stamp; those of the largest builds have a hundredth


class Printed:
    """The output of a build: the warnings on stderr, and the text on stdout."""

    def __init__(self, warnings: list[str], text: str) -> None:
        self.warnings, self.text = warnings, text


def name_stamp(name: str) -> str:
    """Return the path of a recipe's stamp, relative to the working directory."""
    return f"build/.{name}.stamp"


def name_variants(name: str) -> str:
    """Return the path of the stamp that lists a recipe's variants: their names are its warnings, its text is empty."""
    return f"build/.{name}.variants"


def read_current(name: str) -> dict[str, Printed] | None:
    """Return the output of the last build of a recipe, or of each of its variants; None if anything changed since."""
    if name.endswith((".yaml", ".yml")):  # a path, not a name
        return None
    alone = read_stamp(name_stamp(name), name)
    if alone is not None:
        return {name: alone}
    variants = read_stamp(name_variants(name), name) or Printed([], "")
    found = {variant: read_stamp(name_stamp(variant), variant) for variant in variants.warnings}
    current = {variant: printed for variant, printed in found.items() if printed is not None}
    return current if current and len(current) == len(found) else None


def read_stamp(path: str, name: str) -> Printed | None:
    """Return the output that a stamp holds; None if it is of another recipe, whose file comes first, or not current."""
    try:
        head, process, counts, *lines = regular_file.read_whole(path, LARGEST).decode().split("\n")
        paths, warnings = map(int, counts.split())
        if (head, process) != (FORMAT, describe_process()) or len(lines) < paths + warnings:
            return None
        if not lines[0].partition(" ")[2].startswith(f"recipes/{name}.yaml\t"):
            return None
        if any(format_stat(line.rpartition("\t")[0]) != line for line in lines[:paths]):
            return None
    except (OSError, ValueError):
        return None
    return Printed(lines[paths : paths + warnings], "\n".join(lines[paths + warnings :]))


def format_stamp(stats: list[str], printed: Printed) -> str:
    """Return the text of a stamp. Raises ValueError if a path or a warning is not one line."""
    warnings = printed.warnings
    if any("\n" in line for line in (*stats, *warnings)):
        raise ValueError("a path or a warning has several lines")
    return "\n".join((FORMAT, describe_process(), f"{len(stats)} {len(warnings)}", *stats, *warnings, printed.text))


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
