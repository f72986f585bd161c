"""The wheel that `pip install .` builds: it is complete, and the installed command runs."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests.workshop import ROOT

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIP = ("-m", "pip", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this working tree with the build tools that requirements.txt pins."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, *PIP, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (made,) = folder.iterdir()
    return made


def test_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    files = [path for path in (ROOT / "gpt2forge").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert packed == {str(path.relative_to(ROOT)) for path in files}
        assert all(archive.read(str(path.relative_to(ROOT))) == path.read_bytes() for path in files)
    assert {"gpt2forge/py.typed", "gpt2forge/__init__.pyi", "gpt2forge/recipe/base/cpu.yaml"} <= packed


def test_wheel_needs_what_the_environment_without_pytorch_has_and_no_more(wheel: Path, bare: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needed = HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist") or []
    names = {re.split(r"[^\w.-]", text)[0] for text in needed if "extra ==" not in text}
    assert names == {re.split(r"[^\w.-]", text)[0] for text in PROJECT["dependencies"]}
    program = f"from importlib.metadata import version; print(len([version(name) for name in {sorted(names)}]))"
    done = subprocess.run([bare, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(names)}\n"


def test_installed_command_runs(wheel: Path, bare: str, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    install = [sys.executable, *PIP, "--python", bare, "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}
    starts = {
        ("--version",): ["gpt2forge", PROJECT["version"]],
        ("inspect", str(ROOT / "examples/nano")): ["layout", "tf1"],
        ("init", str(ROOT / "examples/nano")): ["tf1,", "1,350,400"],
        ("plan", "nano-cpu-int8"): ["will", "run"],
        ("completion", "bash"): ["#", "Completion"],
        ("__complete", "build", "na"): ["nano-cpu-int8"],
    }
    for words, start in starts.items():
        command = [str(target / "bin/gpt2forge"), *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split()[:2] == start
    program = "import gpt2forge; print(gpt2forge.__file__)"
    where = subprocess.run([bare, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert where.stdout == f"{target}/gpt2forge/__init__.py\n"
