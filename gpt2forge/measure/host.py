"""The facts of a machine that decide measured numbers: processor, vector instructions and threads."""

import functools
import platform
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_value
from gpt2forge.processors import count_cores, count_threads

CPUINFO = Path("/proc/cpuinfo")
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


def read_cpuinfo() -> dict[str, str]:
    """Return what Linux reports about its first processor; empty elsewhere."""
    try:
        first = CPUINFO.read_text().partition("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
