"""Whether all is as the last successful build left it: a file of stats, compared in a few milliseconds.

It runs before anything else, so it imports nothing but what Python has loaded when it starts. A stamp is lines of text:

    FORMAT
    what of the process and the machine a build depends on: see describe_process
    how many paths follow, and after them how many lines of warnings
    what each path was: see look
    the warnings
    what the build printed

Any difference, and anything that cannot be read, means: build as usual, which finds out for itself.
"""

import os
import sys

FORMAT = "gpt2forge stamp 1"
PACKAGE = os.path.dirname(os.path.abspath(__file__))
CGROUPS = "/sys/fs/cgroup"
LIMITS = ("cpu.max", "memory.max", "memory.high")
MOST = 1 << 14  # bytes of a file of the kernel

Said = tuple[list[str], str]
"""The warnings of a build, and what it printed."""


def name_stamp(name: str) -> str:
    """Where the stamp of a recipe lies, seen from the working directory."""
    return f"build/.{name}.stamp"


def name_variants(name: str) -> str:
    """Where the stamp lies of which variants a recipe has: their names are its warnings, and nothing was printed."""
    return f"build/.{name}.variants"


def recall(name: str) -> dict[str, Said] | None:
    """What the last build of a recipe, or of each of its variants, said, if nothing has changed since; else None."""
    if name.endswith((".yaml", ".yml")):  # that is a path
        return None
    alone = read_stamp(name_stamp(name), name)
    if alone is not None:
        return {name: alone}
    variants = read_stamp(name_variants(name), name) or ([], "")
    found = {variant: read_stamp(name_stamp(variant), variant) for variant in variants[0]}
    said = {variant: each for variant, each in found.items() if each is not None}
    return said if said and len(said) == len(found) else None


def read_stamp(place: str, name: str) -> Said | None:
    """What a stamp holds, if it is of this name, whose file is the first that it looks at, and nothing has changed."""
    try:
        with open(place, encoding="utf-8") as file:
            head, process, counts, *lines = file.read().split("\n")
        paths, warnings = map(int, counts.split())
        if (head, process) != (FORMAT, describe_process()) or len(lines) < paths + warnings:
            return None
        if not lines[0].partition(" ")[2].startswith(f"recipes/{name}.yaml\t"):
            return None
        if any(look(line.rpartition("\t")[0]) != line for line in lines[:paths]):
            return None
    except (OSError, ValueError):
        return None
    return lines[paths : paths + warnings], "\n".join(lines[paths + warnings :])


def format_stamp(looks: list[str], said: Said) -> str:
    """The text of a stamp; raises ValueError where a path or a warning is not one line."""
    warnings, printed = said
    if any("\n" in line for line in (*looks, *warnings)):
        raise ValueError("a path or a warning has several lines")
    return "\n".join((FORMAT, describe_process(), f"{len(looks)} {len(warnings)}", *looks, *warnings, printed))


def look(path: str) -> str:
    """The path and what changes when anything there changes.

    `link` before it reads a link, `stat` follows it, and so does `may`, where nothing need be.
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
    """The program, where it finds its libraries, and what of the machine the measured numbers depend on."""
    threads = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return repr(
        (os.getcwd(), PACKAGE, sys.executable, sys.version, list_places(), threads, read_processor(), read_limits())
    )


def list_places() -> list[str]:
    """Where Python looks for libraries; the first place is that of the program, which may be started in two ways."""
    return [place for place in sys.path if place not in ("", os.getcwd(), os.path.dirname(sys.argv[0]))]


def read_processor() -> list[bytes]:
    """Name and abilities of the first processor, as Linux tells them; what changes by the second is left out."""
    first = read("/proc/cpuinfo").partition(b"\n\n")[0]
    return [line for line in first.split(b"\n") if line.startswith((b"model name", b"flags", b"Features"))]


def read_limits() -> list[bytes]:
    """How much of the machine this process may use (cgroup v2): by its own group, which in a container is the root."""
    group = read("/proc/self/cgroup").decode(errors="replace").partition("0::")[2].split("\n")[0].rstrip("/")
    return [read(f"{CGROUPS}{group}/{name}") for name in LIMITS]


def read(path: str) -> bytes:
    """The beginning of a file; nothing where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(MOST)
    except OSError:
        return b""
