"""An environment without PyTorch, and a working directory whose commands run in it."""

import shutil
from dataclasses import dataclass

import pytest

from interop.environments import make_bare
from tests.workshop import ROOT, UNMEASURED, Workshop

PLAIN = """\
name: plain
source:
  checkpoint: examples/nano
target:
  device: cpu
quantization:
  scheme: int8
"""


@pytest.fixture(scope="session")
def bare() -> str:
    """Return the interpreter of the environment, which is made once and kept for later runs."""
    return str(make_bare())


@pytest.fixture(scope="session")
def shop(bare: str, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Make a working directory whose recipes can be changed."""
    folder = tmp_path_factory.mktemp("bare") / "here"
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    (folder / "recipes/plain.yaml").write_text(PLAIN)
    (folder / "examples").symlink_to(ROOT / "examples")
    return Workshop(folder, bare)


@dataclass(frozen=True)
class FirstBuild:
    """The output of a build of nano-cpu-int8, and the stages that left records, logs and outputs."""

    written: str
    messages: list[str]
    records: set[str]
    logs: set[str]
    outputs: set[str]


@pytest.fixture(scope="session")
def built(shop: Workshop) -> FirstBuild:
    done = shop.run("build", "nano-cpu-int8", code=1, measured=True)
    records, logs, outputs = (shop.store / "records", shop.store / "logs", shop.folder / "build")
    return FirstBuild(
        done.stdout,
        done.stderr.splitlines(),
        {path.name for path in records.iterdir()},
        {path.name.partition("-")[0] for path in logs.iterdir()},
        {path.name for path in outputs.iterdir()},
    )


@pytest.fixture(scope="session")
def published(shop: Workshop, built: FirstBuild) -> Workshop:
    """Return the working directory with nano-cpu-int8 published, unmeasured."""
    shop.run("build", "nano-cpu-int8", *UNMEASURED, measured=True)
    return shop
