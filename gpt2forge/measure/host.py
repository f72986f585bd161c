"""The facts of a machine that decide measured numbers: processor, vector instructions and threads."""

import os
import platform
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
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
