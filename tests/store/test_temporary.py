"""What killed commands leave in the user's folders is removed by later commands, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpt2forge.store.locks import try_lock
from gpt2forge.store.temporary import YOUNG, clear_asides, clear_folders, make_temporary, name_aside
from tests.store.made import KEY
from tests.workshop import ROOT

HOLD = """
import sys, time
from pathlib import Path
from gpt2forge.store.temporary import make_temporary
with make_temporary(Path(sys.argv[1]), "copy") as folder:
    (folder / "model.onnx").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_folder_is_removed_by_its_command_and_after_a_kill_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        left = Path(other.stdout.readline().strip())
        with make_temporary(tmp_path, "copy") as folder:
            assert sorted(tmp_path.iterdir()) == sorted([left, folder])
        assert list(tmp_path.iterdir()) == [left]
        other.send_signal(signal.SIGKILL)
    with make_temporary(tmp_path, "check") as folder:
        assert left.exists()  # of another kind
    with make_temporary(tmp_path, "copy") as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_folders_and_files_with_other_names_stay(tmp_path: Path) -> None:
    names = (".gpt2forge-copy-mine", ".gpt2forge-copy", ".gpt2forge-copy-0123456789", ".aside-", ".aside-mine", ".a.1")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.txt").write_text("mine")
    (tmp_path / ".gpt2forge-copy-01234567").write_text("a file")
    (tmp_path / ".aside-abcdefgh").mkdir()
    (tmp_path / ".aside-00000000").symlink_to("/mine")
    (tmp_path / ".b.2").symlink_to(tmp_path)
    (tmp_path / ".c.3").symlink_to(f"../cache/artifacts/{KEY}")
    (tmp_path / ".c.3.json").write_text("the report of a recipe with this name")
    for path in tmp_path.iterdir():
        make_old(path)
    before = sorted(tmp_path.iterdir())
    clear_folders(tmp_path)
    clear_asides(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def make_old(path: Path) -> None:
    os.utime(path, (time.time() - 2 * YOUNG,) * 2, follow_symlinks=False)


@pytest.mark.parametrize("name", [".aside-abcdef_0", ".nano-cpu-int8.1234", None])
def test_link_that_never_took_its_place_is_removed(tmp_path: Path, name: str | None) -> None:
    path = tmp_path / name if name else name_aside(tmp_path)
    path.symlink_to(f"../cache/artifacts/{KEY}")
    clear_asides(tmp_path)
    assert path.is_symlink()  # it may be about to take its place
    make_old(path)
    clear_asides(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_being_written_stays(tmp_path: Path) -> None:
    path = tmp_path / ".aside-abcdefgh"
    with path.open("w") as file:
        assert try_lock(file.fileno(), path)
        make_old(path)
        clear_asides(tmp_path)
        assert path.exists()
    clear_asides(tmp_path)
    assert not path.exists()
