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
