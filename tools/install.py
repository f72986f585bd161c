"""Install gpt2forge into a virtual environment, with PyTorch's CPU build wherever one can be had.

    python3 -m tools.install .venv torch      # the extra `torch` of pyproject.toml, in the versions of requirements.txt

PyPI's PyTorch for Linux on x86-64 is the CUDA build: gigabytes that no CPU can use. So PyTorch is chosen first, alone:
from the sources that pip knows, if those have a CPU build, else from PyTorch's own index of CPU wheels. TORCH_INDEX
names another index or a folder of wheels; `TORCH_INDEX=none` leaves the choice to pip. A CUDA build is announced, with
its size, before it is downloaded.

Standard library only: nothing is installed yet when this runs.
"""

import argparse
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from tools.packages import Pip, PipFault, describe_bytes
from tools.torch_source import find_torch

ROOT = Path(__file__).resolve().parents[1]
PINS = ("-c", str(ROOT / "requirements.txt"))
BUILD_TOOLS = ("hatchling", "editables")


def install_project(venv: Path, extra: str, torch_index: str | None) -> None:
    """Make the environment `venv` and install gpt2forge there, editable, with one of its extras. Raises PipFault."""
    began = time.monotonic()
    say(f"installing gpt2forge[{extra}] into {venv} (once)")
    pip = make_environment(venv)
    pip.install((*PINS, *BUILD_TOOLS))
    install_torch(pip, read_torch(), torch_index)
    pip.install((*PINS, "--no-build-isolation", "-e", f"{ROOT}[{extra}]"))
    pip.compile()
    compile_checked(pip.python, ROOT / "gpt2forge")
    say(f"{venv} is ready: {describe_bytes(measure(venv))} on the disk, after {time.monotonic() - began:.0f} s")


def make_environment(venv: Path) -> Pip:
    """Make the environment unless it is there, with the pip of requirements.txt: an older one shows no progress."""
    if not (venv / "bin/python").exists():
        subprocess.run((sys.executable, "-m", "venv", str(venv)), check=True)
    pip = Pip(venv / "bin/python", say, sys.stderr.isatty())
    pip.run(("-q", *PINS, "pip"))
    return pip


def compile_checked(python: Path, folder: Path) -> None:
    """Write byte code that names the hash of its source (PEP 552), so an edit counts even if it keeps size and time.

    Workers take no other (gpt2forge/checked_import.py). A command that has to compile what it imports takes 0.2 s more.
    """
    options = ("-f", "-qq", "-j0", "--invalidation-mode", "checked-hash")
    subprocess.run((python, "-m", "compileall", *options, folder), check=False)


def install_torch(pip: Pip, requirement: str, torch_index: str | None) -> None:
    """Install PyTorch alone, unless it is there. Raises PipFault."""
    source = find_torch(pip, requirement, torch_index)
    if source.warning:
        say(source.warning)
    pip.install((*PINS, requirement, *source.options))


def read_torch() -> str:
    """Return the requirement of PyTorch, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra: list[str] = project["optional-dependencies"]["torch"]
    return next(text for text in extra if text.startswith("torch="))


def measure(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venv", type=Path, help="the environment's folder")
    parser.add_argument("extra", choices=("torch", "dev"), help="what of pyproject.toml to install besides")
    options = parser.parse_args()
    try:
        install_project(options.venv, options.extra, os.environ.get("TORCH_INDEX"))
    except PipFault as fault:
        say(f"error: {fault}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
