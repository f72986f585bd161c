"""An environment is made once, and again if it was interrupted; if it cannot be made, one line says why."""

import subprocess
import sys
from pathlib import Path

import pytest

from interop import environments
from interop.environments import EnvironmentFault, make_node, make_python, need_program

ROOT = Path(__file__).parents[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a temporary folder for the requirements and the environments."""
    (tmp_path / "host").mkdir()
    monkeypatch.setattr(environments, "HERE", tmp_path)
    monkeypatch.setattr(environments, "HOME", tmp_path / "made")
    return tmp_path


def test_python_is_made_once_and_again_when_it_was_cut_off_or_wants_something_else(place: Path) -> None:
    wanted = place / "host/requirements.txt"
    wanted.write_text("# nothing\n")
    python = make_python("host")
    assert subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False).returncode == 1
    (place / "made/host/left").touch()
    make_python("host")
    assert (place / "made/host/left").exists()
    wanted.write_text("# nothing else\n")
    make_python("host")
    assert not (place / "made/host/left").exists()
    (place / "made/host/left").touch()
    (place / "made/host/stamp").unlink()
    make_python("host")
    assert not (place / "made/host/left").exists()


def test_two_processes_that_ask_at_once_make_it_once(place: Path) -> None:
    (place / "host/requirements.txt").write_text("# nothing\n")
    lines = [
        "from pathlib import Path",
        "from interop import environments",
        f"environments.HERE, environments.HOME = Path({str(place)!r}), Path({str(place / 'made')!r})",
        "print(environments.make_python('host'))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [out for out, _ in told] == 2 * [f"{place / 'made/host/bin/python'}\n"]
    assert sorted(error for _, error in told) == ["", "making the environment `host` (once): made/host\n"]


def test_python_that_cannot_be_made_is_one_line(place: Path) -> None:
    (place / "host/requirements.txt").write_text("numpy==0.0.1\n")
    with pytest.raises(EnvironmentFault) as caught:
        make_python("host")
    message = str(caught.value)
    assert message.endswith("ERROR: No matching distribution found for numpy==0.0.1")
    assert len(message.splitlines()) == 1
    assert not (place / "made/host/stamp").exists()


BACKEND = """
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    with zipfile.ZipFile(f"{folder}/made_here-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("made_here.py", f"SETTINGS = {settings}")
        wheel.writestr("made_here-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: made-here\\nVersion: 1\\n")
        wheel.writestr("made_here-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("made_here-1.dist-info/RECORD", "")
    return "made_here-1-py3-none-any.whl"
"""


@pytest.fixture
def sources(place: Path) -> Path:
    """Return the folder of a package's sources, which a host has compiled."""
    folder = place / "sources"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "made-here"\nversion = "1"\n'
    )
    (folder / "backend.py").write_text(BACKEND)
    (place / "host/requirements.txt").write_text("# nothing\n")
    (place / "host/compiled.txt").write_text(f'made-here @ file://{folder} --config-settings="jobs=2"\n')
    return folder


def test_sources_are_compiled_once_for_each_kind_of_processor(
    place: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = make_python("host")
    command = [python, "-c", "import made_here; print(made_here.SETTINGS)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "{'jobs': '2'}\n"
    (place / "made/host/left").touch()
    make_python("host")
    assert (place / "made/host/left").exists()
    monkeypatch.setattr(environments, "describe_processor", lambda: "another one")
    make_python("host")
    assert not (place / "made/host/left").exists()


def test_sources_that_do_not_compile_are_one_line(place: Path, sources: Path) -> None:
    (sources / "backend.py").write_text("def build_wheel(*arguments):\n    raise OSError('no such instruction')\n")
    with pytest.raises(
        EnvironmentFault, match=r"`pip install` of host/compiled\.txt failed: OSError: no such instruction"
    ):
        make_python("host")
    (sources / "backend.py").write_text(
        "import os\nos.system('echo a.cpp:1: error: no such type; echo stopped'); exit(1)\n"
    )
    with pytest.raises(EnvironmentFault, match=r"failed: a\.cpp:1: error: no such type"):
        make_python("host")


def test_a_compiler_that_is_missing_is_one_line(place: Path, sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(EnvironmentFault, match=r"there is no C\+\+ compiler; install one: apt-get install g\+\+"):
        make_python("host")


def test_node_folder_has_the_current_files_of_the_host(place: Path) -> None:
    (place / "host/package.json").write_text('{"private": true}')
    (place / "host/say.mjs").write_text("console.log(1)")
    assert (make_node("host") / "say.mjs").read_text() == "console.log(1)"
    (place / "host/say.mjs").write_text("console.log(2)")
    assert (make_node("host") / "say.mjs").read_text() == "console.log(2)"


def test_node_folder_that_cannot_be_made_is_one_line(place: Path) -> None:
    (place / "host/package.json").write_text('{"dependencies": {"onnxruntime-web": "0.0.1"}}')
    with pytest.raises(EnvironmentFault) as caught:
        make_node("host")
    message = str(caught.value)
    assert "No matching version found for onnxruntime-web@0.0.1" in message
    assert len(message.splitlines()) == 1


def test_program_that_debian_lacks_is_one_line() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        need_program("no-such-program", "no-such-package-of-debian")
    assert len(str(caught.value).splitlines()) == 1
    assert "no-such-package-of-debian" in str(caught.value)
