"""The source of PyTorch for this machine: a CPU build wherever one is available.

A CPU build with a local version, such as `2.13.0+cpu`, wins over PyPI's plain `2.13.0` by itself
(https://packaging.python.org/en/latest/specifications/version-specifiers/#local-version-identifiers).
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.packages import Package, Pip, PipFault, describe_bytes, measure_downloads

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NONE = ("", "none")
PATIENCE = ("--retries", "1", "--timeout", "10")  # an index that cannot be reached costs seconds, not minutes
CUDA_PARTS = ("nvidia-", "cuda-")
UNPACKED = 1.9  # bytes on the disk for a byte of the CUDA build's wheels: 5.0 GB for 2.7 (2.13.0, Linux on x86-64)


@dataclass(frozen=True)
class TorchSource:
    """The options of pip that name the source, and a warning if only a CUDA build is available."""

    options: tuple[str, ...] = ()
    warning: str = ""


def find_torch(
    pip: Pip, requirement: str, wanted: str | None, *, cpu_index: str = CPU_INDEX, machine: str = platform.machine()
) -> TorchSource:
    """Find a source of a CPU build of PyTorch.

    `wanted` is TORCH_INDEX: an index's URL, a folder of wheels, `none` for pip's own sources, None to look for one.
    Raises PipFault if no build is available.
    """
    if wanted not in (None, *NONE):
        return TorchSource(name_source(str(wanted)))
    found = pip.resolve(("--no-deps", requirement))
    if not found or is_cpu_build(found):
        return TorchSource()
    is_usually_cuda = machine in ("x86_64", "AMD64")
    if not is_usually_cuda and not has_cuda(pip.resolve((requirement,))):
        return TorchSource()
    options = () if wanted in NONE else name_source(cpu_index)
    if options and is_cpu_build(try_source(pip, requirement, options)):
        return TorchSource(options)
    packages = pip.resolve((requirement,))
    return TorchSource(warning=warn_of_cuda(packages, cpu_index if options else None) if has_cuda(packages) else "")


def name_source(place: str) -> tuple[str, ...]:
    """Return pip's options for an index, or for a folder of wheels, beside its own sources."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return ("--find-links", str(folder.resolve()))
    return ("--extra-index-url", place, *PATIENCE)


def try_source(pip: Pip, requirement: str, options: Sequence[str]) -> list[Package]:
    try:
        return pip.resolve(("--no-deps", requirement, *options))
    except PipFault:
        return []


def is_cpu_build(found: Sequence[Package]) -> bool:
    return any(package.version.endswith("+cpu") for package in found)


def has_cuda(packages: Sequence[Package]) -> bool:
    return any(package.name.startswith(CUDA_PARTS) for package in packages)


def warn_of_cuda(packages: Sequence[Package], tried_index: str | None) -> str:
    """Format the warning about the CUDA build: its size, and how to name another source."""
    size = measure_downloads(packages)
    amount = f"{describe_bytes(size)} to download, about {describe_bytes(int(UNPACKED * size))} on the disk"
    tried = f"; {tried_index} cannot be reached or has no build for this machine" if tried_index else ""
    return (
        f"warning: only PyTorch's CUDA build can be had: {amount if size else 'gigabytes'}{tried}. "
        "To use a CPU build, interrupt this and name an index or a folder of wheels: make install TORCH_INDEX=..."
    )
