"""Makes the environments that hosts run in, once each, under `.interop/`.

An environment is named after its folder here, whose `requirements.txt` or `package.json` lists its packages with exact
versions; a `compiled.txt` beside it lists those to compile from their sources. The stamp of an environment holds a
digest of these files. It is written last, so an interrupted environment is made again. The environment `bare` has no
folder here: it holds the packages that `pip install .` installs, no extra.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gpt2forge.measure.host import describe_processor
from interop.packages import compile_sources, find_failure, install
from tools.install import install_torch, make_environment
from tools.packages import PipFault

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
HOME = ROOT / ".interop"
COMPILED = "compiled.txt"  # beside a requirements.txt

COMPILERS = ("c++", "g++", "clang++")
NPM = ("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")

IMPORTS = "click, google_crc32c, joblib, ml_dtypes, numpy, onnx, onnx_ir, onnxruntime, psutil, pydantic, rich.progress"
WARM_UP = f"import sys; sys.dont_write_bytecode = False; import {IMPORTS}, tokenizers, yaml"
"""Compiles the modules that gpt2forge imports. Compiling all modules takes three times as long."""


class EnvironmentFault(Exception):
    """An environment cannot be made; the message is one line that says what failed."""


def make_python(name: str, home: Path | None = None) -> Path:
    """Return the interpreter of a virtualenv with the packages of `<home>/<name>/requirements.txt`.

    Those of a `compiled.txt` beside it are compiled, and compiled anew on another kind of processor. `home` is this
    folder unless given. Raises EnvironmentFault if the virtualenv cannot be made.
    """
    wanted = (home or HERE) / name / "requirements.txt"
    made_of = [sys.version, wanted.read_text()]
    if (compiled := wanted.with_name(COMPILED)).is_file():
        made_of += [compiled.read_text(), describe_processor()]
    folder = make_once(name, "\n".join(made_of), lambda folder: fill_python(folder, wanted))
    return folder / "bin" / "python"


def make_bare() -> Path:
    """Return the interpreter of a virtualenv with the pinned dependencies of gpt2forge, without extras.

    It imports gpt2forge from this working tree. Raises EnvironmentFault if it cannot be made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = ROOT / "requirements.txt"
    wanted = "\n".join((sys.version, str(ROOT), WARM_UP, *project["dependencies"], pins.read_text(encoding="utf-8")))
    folder = make_once("bare", wanted, lambda folder: fill_bare(folder, project["dependencies"], pins))
    return folder / "bin" / "python"


def make_node(name: str) -> Path:
    """Return a folder with the `node_modules` of `interop/<name>/package.json` and copies of the files beside it.

    Node looks for packages from a module's own folder, so run the copies in the returned folder. Raises
    EnvironmentFault if the folder cannot be made.
    """
    source = HERE / name
    wanted = source / "package.json"
    need_program("node", "nodejs")
    need_program("npm", "npm")
    folder = make_once(name, wanted.read_text(), lambda folder: fill_node(folder, wanted))
    for path in source.iterdir():
        if path.is_file():
            replace(path, folder / path.name)
    return folder


def need_program(program: str, debian_package: str) -> Path:
    """Return the program's path. If it is missing, install the Debian package, which needs root.

    Raises EnvironmentFault if it is missing and cannot be installed.
    """
    if not shutil.which(program):
        if os.geteuid() or not shutil.which("apt-get"):
            raise EnvironmentFault(f"`{program}` is missing; install it: apt-get install {debian_package}")
        with lock("apt-get"):
            if not shutil.which(program):
                run(("apt-get", "-q", "update"), HERE)
                run(("apt-get", "-q", "install", "-y", "--no-install-recommends", debian_package), HERE)
    found = shutil.which(program)
    if not found:
        raise EnvironmentFault(f"`{program}` is not in Debian's package {debian_package}")
    return Path(found)


def make_once(name: str, wanted: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder `.interop/<name>`. Fill it again unless its stamp matches `wanted`."""
    folder, stamp = HOME / name, HOME / name / "stamp"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    with lock(name):
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            report(f"making the environment `{name}` (once): {folder.relative_to(HOME.parent)}")
            fill(folder)
            stamp.write_text(digest)
    return folder


def report(line: str) -> None:
    """Print a line for a person who waits; stdout is for results."""
    print(line, file=sys.stderr, flush=True)


def fill_python(folder: Path, requirements: Path) -> None:
    torch = [line for line in requirements.read_text(encoding="utf-8").splitlines() if line.startswith("torch==")]
    try:
        if torch:  # only pip is told where a CPU build is
            install_torch(make_environment(folder), torch[0], os.environ.get("TORCH_INDEX"))
    except PipFault as fault:
        raise EnvironmentFault(str(fault)) from fault
    compiled = requirements.with_name(COMPILED)
    if not compiled.is_file():
        fill_venv(folder, "-r", str(requirements))
        return
    need_compiler()
    python = fill_venv(folder, "-r", str(requirements))
    report("compiling from sources, for this processor: several minutes")
    with name_fault(f"`pip install` of {folder.name}/{COMPILED}"):
        compile_sources(python, compiled)


def need_compiler() -> None:
    """Raise EnvironmentFault if there is no C++ compiler."""
    if not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise EnvironmentFault("there is no C++ compiler; install one: apt-get install g++")


def fill_bare(folder: Path, dependencies: Sequence[str], pins: Path) -> None:
    python = fill_venv(folder, "-c", str(pins), *dependencies)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "gpt2forge.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    run((str(python), "-c", WARM_UP), HOME)


def fill_venv(folder: Path, *arguments: str) -> Path:
    """Install packages into the virtualenv of a folder, which is made unless it is there; return its interpreter."""
    python = folder / "bin/python"
    if not python.exists():
        run((sys.executable, "-m", "venv", "--without-pip", str(folder)), HOME)
    with name_fault(f"`pip install {' '.join(arguments)}`"):
        install(python, *arguments)
    return python


@contextmanager
def name_fault(what: str) -> Iterator[None]:
    """Raise EnvironmentFault with the reason in one line if pip fails."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        raise EnvironmentFault(f"{what} failed: {find_failure(error.stderr)}") from error


def fill_node(folder: Path, package: Path) -> None:
    shutil.copyfile(package, folder / package.name)
    run(NPM, folder)


def run(command: tuple[str, ...], folder: Path) -> None:
    """Run a command to its end. Raises EnvironmentFault with its errors in one line."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentFault(f"`{' '.join(command)}` failed: {find_errors(done.stderr) or done.returncode}")


def find_errors(output: str) -> str:
    """Return the first lines that npm or apt-get marks as errors, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "npm error", "e:"))]
    return "; ".join(errors[:3] or lines[-1:])


def replace(source: Path, target: Path) -> None:
    """Copy a file so that a concurrent reader sees either the old or the new one, complete."""
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, aside)
    aside.replace(target)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a lock so that one process at a time makes the thing of this name."""
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
