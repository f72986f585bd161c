"""Memory: how much there is for this process, and how fast it is read, which limits how fast a model generates."""

import psutil

from gpt2forge.doctor.examination import Examination, Finding
from gpt2forge.executor.resources import find_memory
from gpt2forge.plan.tools import find_version
from gpt2forge.units import format_size

LITTLE = 2 * 10**9  # bytes; PyTorch and the reference of a small model take half of it
ROWS, FEW_ROWS = 65_536, 4096  # of 16 kB each: 1 GiB, or 64 MiB where memory is short
SLOW = 5.0  # GB/s; a desktop reads 20 or more
EXAMPLE = 786 * 10**6  # bytes of GPT-2 774M as int8, all read for each token


def examine_memory(rows: int | None = None) -> Examination:
    """Measure the memory. `rows` of 16 kB are read for the speed; None chooses."""
    total, free = find_memory(), psutil.virtual_memory().available
    speed = measure_speed(rows or choose_rows(min(total, free)))
    return describe_memory(total=total, free=min(total, free), speed=speed)


def choose_rows(free: int) -> int:
    return ROWS if free > 4 * ROWS * 4096 * 4 else FEW_ROWS


def measure_speed(rows: int) -> float | None:
    """Return the GB/s at which memory is read; None without PyTorch, whose loops read it."""
    if find_version("torch") is None:
        return None
    from gpt2forge.measure.bandwidth import Bandwidth

    buffer = Bandwidth(rows)
    return max(buffer.sample() for _ in range(2))


def describe_memory(*, total: int, free: int, speed: float | None) -> Examination:
    """Return the examination; sizes in bytes, `speed` in GB/s."""
    values = {"total": total, "available": free, "read_gb_s": None if speed is None else round(speed, 1)}
    rate = "speed not measured without PyTorch" if speed is None else f"read at {speed:.1f} GB/s"
    line = f"{format_size(total)}, {format_size(free)} of it available, {rate}"
    findings, advice = [], []
    if total < LITTLE:
        fix = "raise the limit of the container, or build elsewhere and copy the result; running a model takes less"
        findings.append(Finding("little", f"{format_size(total)} of memory are little for PyTorch", fix))
    if speed is not None:
        fastest = EXAMPLE / speed / 1e6
        advice.append(
            f"a model's weights are read for every token: at {speed:.0f} GB/s, GPT-2 774M as int8 (786 MB) takes "
            f"{fastest:.0f} ms a token at least; half the bytes (int4) take half of it"
        )
    if speed is not None and speed < SLOW:
        fix = "prefer int4; look whether other programs read memory now, or whether a memory module is missing"
        findings.append(Finding("slow", f"memory is read at only {speed:.1f} GB/s", fix))
    return Examination("memory", values, line, tuple(findings), tuple(advice))
