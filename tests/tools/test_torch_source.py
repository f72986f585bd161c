"""PyTorch's CPU build is taken wherever one can be had, and a CUDA build is announced with its size.

Real pip, real indexes on loopback; `torchlike` stands for PyTorch, which the environment of the tests has already.
"""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.wheels import Index, make_wheel, serve
from tools.packages import Pip, PipFault
from tools.torch_source import TorchSource, find_torch, name_source

pytestmark = pytest.mark.slow

WANTED = "torchlike==2.13.0"
PADDING = 3_000_000  # bytes


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    """Return pip without any settings except those of the test."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return Pip(Path(sys.executable), lambda line: None)


@pytest.fixture
def pypi(tmp_path: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Serve an index whose PyTorch is the CUDA build, as on PyPI for Linux on x86-64."""
    make_wheel(tmp_path / "pypi/torchlike", "torchlike", "2.13.0", ["nvidia-like==1"], PADDING)
    make_wheel(tmp_path / "pypi/nvidia-like", "nvidia-like", "1", padding=PADDING)
    with serve(tmp_path / "pypi") as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        yield index


@pytest.fixture
def pytorch(tmp_path: Path) -> Iterator[Index]:
    """Serve an index of CPU builds, as PyTorch's own."""
    make_wheel(tmp_path / "pytorch/torchlike", "torchlike", "2.13.0+cpu")
    with serve(tmp_path / "pytorch") as index:
        yield index


def find_closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_cpu_build_of_the_index_wins(pip: Pip, pypi: Index, pytorch: Index) -> None:
    source = find_torch(pip, WANTED, None, cpu_index=pytorch.url, machine="x86_64")
    assert source == TorchSource(name_source(pytorch.url))
    assert [package.version for package in pip.resolve((WANTED, *source.options))] == ["2.13.0+cpu"]
    assert [path for path in pytorch.asked if "nvidia" in path] == []


def test_cpu_build_in_a_folder_that_pip_knows_is_taken_without_asking_the_index(
    pip: Pip, pypi: Index, pytorch: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "wheels", "torchlike", "2.13.0+cpu")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert find_torch(pip, WANTED, None, cpu_index=pytorch.url, machine="x86_64") == TorchSource()
    assert pytorch.asked == []


@pytest.mark.parametrize("machine", ["arm64", "aarch64"])
def test_cpu_build_of_pypi_is_taken_on_arm(pip: Pip, pypi: Index, pytorch: Index, tmp_path: Path, machine: str) -> None:
    make_wheel(tmp_path / "pypi/torchlike", "torchlike", "2.13.0")
    assert find_torch(pip, WANTED, None, cpu_index=pytorch.url, machine=machine) == TorchSource()
    assert pytorch.asked == []


def test_cuda_build_for_arm_gives_way_to_the_index(pip: Pip, pypi: Index, pytorch: Index) -> None:
    source = find_torch(pip, WANTED, None, cpu_index=pytorch.url, machine="aarch64")
    assert source == TorchSource(name_source(pytorch.url))


def test_cuda_build_is_announced_with_its_size_where_the_index_cannot_be_reached(pip: Pip, pypi: Index) -> None:
    closed = f"http://127.0.0.1:{find_closed_port()}/cpu"
    source = find_torch(pip, WANTED, None, cpu_index=closed, machine="x86_64")
    assert source == TorchSource(
        (),
        "warning: only PyTorch's CUDA build can be had: 6 MB to download, about 11 MB on the disk; "
        f"{closed} cannot be reached or has no build for this machine. To use a CPU build, interrupt this and name an "
        "index or a folder of wheels: make install TORCH_INDEX=...",
    )
    assert [path for path in pypi.asked if path.endswith(".whl")] != []  # their sizes were requested


def test_none_leaves_the_choice_to_pip(pip: Pip, pypi: Index, pytorch: Index) -> None:
    source = find_torch(pip, WANTED, "none", cpu_index=pytorch.url, machine="x86_64")
    assert source.options == ()
    assert "only PyTorch's CUDA build" in source.warning
    assert pytorch.asked == []


def test_named_index_and_named_folder_are_used(pip: Pip, pypi: Index, pytorch: Index, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "torchlike", "2.13.0+own")
    source = find_torch(pip, WANTED, str(tmp_path / "wheels"), cpu_index=pytorch.url)
    assert [package.version for package in pip.resolve((WANTED, "--no-deps", *source.options))] == ["2.13.0+own"]
    assert find_torch(pip, WANTED, pytorch.url, cpu_index="unused") == TorchSource(name_source(pytorch.url))


def test_build_that_is_installed_is_kept(pip: Pip) -> None:
    assert find_torch(pip, "pytest>=1", None, cpu_index="http://127.0.0.1:1/") == TorchSource()


def test_version_that_no_source_has_is_one_line(pip: Pip, pypi: Index) -> None:
    with pytest.raises(PipFault) as caught:
        find_torch(pip, "torchlike==9", "none")
    assert len(str(caught.value).splitlines()) == 1
    assert "Could not find a version that satisfies the requirement torchlike==9" in str(caught.value)


def test_large_download_is_announced_and_followed(
    pip: Pip, pypi: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(tmp_path / "pypi/weighty", "weighty", "1", ["nvidia-like"], 20_000_000)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    lines: list[str] = []
    Pip(pip.python, lines.append).install(("--target", str(tmp_path / "out"), "weighty"))
    assert lines == [
        "2 packages, 23 MB to download unless pip has kept them",
        "downloading weighty, 20 MB",
        "unpacking 2 packages",
    ]
    assert (tmp_path / "out/weighty.bin").stat().st_size == 20_000_000
