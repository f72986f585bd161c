"""The facts of a machine that decide measured numbers: processor, vector instructions and threads."""

import functools
import os
import platform
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_value

CPUINFO = Path("/proc/cpuinfo")
PROCESSORS = Path("/sys/devices/system/cpu")
MODEL = {
    **{"vendor_id": "", "cpu family": "family ", "model": "model "},
    **{"CPU implementer": "implementer ", "CPU variant": "variant ", "CPU part": "part "},
}
"""Facts that name the kind of an x86 processor, then of an ARM one, with the words to show before them."""

VECTOR = ("sse4", "avx", "fma", "f16c", "amx", "asimd", "sve", "i8mm", "bf16")  # prefixes of vector flags


def describe_host() -> dict[str, Any]:
    """Return the facts as JSON; they are equal on equal machines."""
    facts = read_cpuinfo()
    flags = facts.get("flags", facts.get("Features", "")).split()
    return {
        "processor": facts.get("model name", platform.processor() or platform.machine()),
        "instructions": sorted(flag for flag in flags if flag.startswith(VECTOR)),
        "threads": count_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }


@functools.cache
def describe_processor() -> str:
    """Describe what libraries choose their kernels by: the processor's maker, model and vector instructions.

    PyTorch, MKL, oneDNN, OpenBLAS, NumPy and the C library all choose by CPUID, or on ARM by its likes. So equal
    descriptions mean equal kernels, and equal results of equal work on as many threads.
    """
    facts, host = read_cpuinfo(), describe_host()
    known = [f"{word}{facts[name]}" for name, word in MODEL.items() if name in facts] or [host["processor"]]
    return f"{' '.join(known)}, instructions {digest_value(host['instructions'])[:8]}"


def describe_machine() -> str:
    """Describe what the results of steps that depend on the machine depend on, on one line."""
    return f"{describe_processor()}, {describe_threads()}"


def describe_threads() -> str:
    """Describe the threads that libraries start: one for each processor, or for each core, that they may use."""
    return f"{count_threads()} threads on {count_cores()} cores"


def count_cores() -> int:
    """Return how many cores the processors that this process may use are on; two threads of a core are processors."""
    if not hasattr(os, "sched_getaffinity"):
        return count_threads()
    return len({read_siblings(processor) for processor in os.sched_getaffinity(0)})


@functools.cache
def read_siblings(processor: int) -> str:
    """Return the processors on the core of one, as Linux lists them; itself if they are not known."""
    try:
        return (PROCESSORS / f"cpu{processor}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(processor)


def count_threads() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_cpuinfo() -> dict[str, str]:
    """Return what Linux reports about its first processor; empty elsewhere."""
    try:
        first = CPUINFO.read_text().partition("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
