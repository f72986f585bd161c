"""Where PyTorch is not installed: one line that says what to do, and builds that measure nothing."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.workshop import ROOT, UNMEASURED, Workshop


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that is installed here but PyTorch."""
    folder = tmp_path_factory.mktemp("packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith("torch") and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


def run_without_torch(packages: Path, shop: Workshop, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}"}
    command = [sys.executable, "-S", "-m", "gpt2forge", *words]
    return subprocess.run(command, cwd=shop.folder, env=environment, capture_output=True, text=True, check=False)


def test_measuring_without_pytorch_says_what_to_install(workshop: Workshop, packages: Path) -> None:
    done = run_without_torch(packages, workshop, "build", "nano-cpu-int8")
    assert done.returncode == 1
    assert done.stderr == (
        "error: `reference` needs torch: `pip install torch transformers`, or leave it out with `--skip "
        "verify,benchmark`\n"
    )


def test_building_without_measuring_needs_no_pytorch(workshop: Workshop, packages: Path) -> None:
    done = run_without_torch(packages, workshop, "build", "nano-cpu-int8", *UNMEASURED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("build/nano-cpu-int8  1.8 MB")
