"""Makes the environments that hosts run in, once each, under `.interop/`.

An environment is named after its folder here, which says with exact versions what it holds: `requirements.txt` or
`package.json`. Its stamp, which holds a digest of that file, is written last: one that was cut off is made again.
The environment `bare` has no folder here: it holds what `pip install .` installs, and no extra.
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

from tools.install import install_torch, make_environment
from tools.packages import PipFault

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
HOME = ROOT / ".interop"

PIP = ("-m", "pip", "--disable-pip-version-check", "install", "-qq")
NPM = ("npm", "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")

IMPORTS = "click, google_crc32c, joblib, ml_dtypes, numpy, onnx, onnx_ir, onnxruntime, psutil, pydantic, rich.progress"
WARM_UP = f"import sys; sys.dont_write_bytecode = False; import {IMPORTS}, tokenizers, yaml"
"""Compiles what gpt2forge imports, once; all that pip could compile takes three times as long to make."""


class EnvironmentFault(Exception):
    """An environment cannot be made; the message is one line that says what failed."""


def make_python(name: str, home: Path | None = None) -> Path:
    """The interpreter of a virtualenv with what `requirements.txt` in the folder `name` of `home` (here) names.

    Raises EnvironmentFault when it cannot be made.
    """
    wanted = (home or HERE) / name / "requirements.txt"
    folder = make_once(name, f"{sys.version}\n{wanted.read_text()}", lambda folder: fill_python(folder, wanted))
    return folder / "bin" / "python"


def make_bare() -> Path:
    """Return the interpreter of a virtualenv with the dependencies of gpt2forge, pinned, and of none of its extras.

    It imports gpt2forge from this working tree. Raises EnvironmentFault when it cannot be made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = ROOT / "requirements.txt"
    wanted = "\n".join((sys.version, str(ROOT), WARM_UP, *project["dependencies"], pins.read_text(encoding="utf-8")))
    folder = make_once("bare", wanted, lambda folder: fill_bare(folder, project["dependencies"], pins))
    return folder / "bin" / "python"


def make_node(name: str) -> Path:
    """A folder with the `node_modules` that `interop/<name>/package.json` names, and that folder's own files.

    Modules find packages from where they lie: run copies, in what is returned. Raises EnvironmentFault when it cannot
    be made.
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
    """The program's path; where it is missing, root on Debian installs the package.

    Raises EnvironmentFault when it is missing and cannot be installed.
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
    """The folder `.interop/<name>`, filled anew unless its stamp is of what is wanted."""
    folder, stamp = HOME / name, HOME / name / "stamp"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    with lock(name):
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            say(f"making the environment `{name}` (once): {folder.relative_to(HOME.parent)}")
            fill(folder)
            stamp.write_text(digest)
    return folder


def say(what: str) -> None:
    """Tell a person who waits; stdout is for results."""
    print(what, file=sys.stderr, flush=True)


def fill_python(folder: Path, requirements: Path) -> None:
    try:
        pip = make_environment(folder)
        for line in requirements.read_text(encoding="utf-8").splitlines():
            if line.startswith("torch=="):
                install_torch(pip, line, os.environ.get("TORCH_INDEX"))
        pip.install(("-r", str(requirements)))
    except PipFault as fault:
        raise EnvironmentFault(str(fault)) from fault


def fill_bare(folder: Path, dependencies: Sequence[str], pins: Path) -> None:
    python = folder / "bin/python"
    run((sys.executable, "-m", "venv", "--without-pip", str(folder)), HOME)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "gpt2forge.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    pip, *words = PIP[1:]
    install = (sys.executable, "-m", pip, "--python", str(python), *words, "--no-compile", "-c", str(pins))
    run((*install, *dependencies), HOME)
    run((str(python), "-c", WARM_UP), HOME)


def fill_node(folder: Path, package: Path) -> None:
    shutil.copyfile(package, folder / package.name)
    run(NPM, folder)


def run(command: tuple[str, ...], folder: Path) -> None:
    """Run a command to its end; raises EnvironmentFault with what it said of its errors, in one line."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentFault(f"`{' '.join(command)}` failed: {find_errors(done.stderr) or done.returncode}")


def find_errors(said: str) -> str:
    """The first lines that pip, npm or apt-get calls errors, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "npm error", "e:"))]
    return "; ".join(errors[:3] or lines[-1:])


def replace(source: Path, target: Path) -> None:
    """Copy a file so that whoever reads it meanwhile sees the old or the new one, whole."""
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, aside)
    aside.replace(target)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process at a time make something."""
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
