"""Several users of one store: a group shares it, and whoever owns it may remove it."""

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.forge import GROUP, Forge
from tests.faults.state import list_debris, read_tree
from tests.workshop import ROOT, Workshop, copy_workshop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become other users"),
]

USERS = (4001, 4002)


def make_places(folder: Path) -> list[Path]:
    """Make a folder for each user, and a store that their group shares; return the folders."""
    shared = folder / "store"
    shared.mkdir()
    os.chown(shared, USERS[0], GROUP)
    shared.chmod(0o2775)
    places = [folder / str(user) for user in USERS]
    for user, place in zip(USERS, places, strict=True):
        place.mkdir()
        (place / "cache").symlink_to(shared)
        (place / "source").mkdir()
        (place / "source/a").write_text("the same for both")
        os.chown(place, user, GROUP)
    return places


def test_users_of_a_group_build_into_one_store(open_folder: Path, note: Note) -> None:
    first, second = places = make_places(open_folder)
    with Forge() as one, Forge() as other:  # at once: one waits for each step that the other makes
        forges = (one, other)
        for forge, place, user in zip(forges, places, USERS, strict=True):
            forge.begin(place, user=user)
        for forge, place in zip(forges, places, strict=True):
            assert forge.hear() == 0, (place / "result").read_text()
        files = read_tree(first / "build/toy")
        assert read_tree(second / "build/toy") == files
        for damaging, place, user in ((first, second, USERS[1]), (second, first, USERS[0])):
            victim = next((damaging / "build/toy").resolve().iterdir())
            victim.chmod(0o644)
            victim.write_bytes(b"damaged")
            one.build(place, user=user, collects=True)
            assert read_tree(place / "build/toy") == files
    store = open_folder / "store"
    assert list_debris(store) == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.rglob("*") if path.is_dir()} == {0o2775}
    assert {path.stat().st_gid for path in store.rglob("*")} == {GROUP}
    note(
        "two users of one group build into one store at once, with umask 077; each damages what the other one repairs",
        2 * len(USERS),
        "all succeeded; everything in the store belongs to the group, with the rights of the store's folder",
    )


def test_whoever_owns_a_checkout_may_remove_it(built_once: Workshop, open_folder: Path, note: Note) -> None:
    folder = copy_workshop(built_once, open_folder / "here").folder
    subprocess.run(["git", "init", "--quiet", "."], cwd=folder, check=True)
    subprocess.run(["chown", "-R", str(USERS[0]), str(folder)], check=True)
    words = ("git", "-c", "safe.directory=*", "clean", "-ffdxq", "cache", "build")
    subprocess.run(["setpriv", f"--reuid={USERS[0]}", "--clear-groups", *words], cwd=folder, check=True)
    assert not (folder / "cache").exists()
    note("`git clean -ffdx` of a store by its owner, who is not root", 1, "nothing is left")


MAKE = """
import sys
from pathlib import Path
from gpt2forge.store.file_lock import open_lock
from gpt2forge.store.rights import make_folder
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
make_folder(folder, Path(sys.argv[2]))
(folder / "file").touch()
print("ready", flush=True)
sys.stdin.readline()
open_lock(folder / "lock")
"""


def test_a_folder_that_another_user_is_just_making_is_waited_for(open_folder: Path, note: Note) -> None:
    make_places(open_folder)
    store = open_folder / "store"
    user = ("setpriv", f"--reuid={USERS[1]}", f"--regid={GROUP}", "--clear-groups")
    command = [*user, sys.executable, "-c", MAKE, str(store / "records"), str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout and process.stdin and process.stdout.readline() == "ready\n"
        (store / "records").mkdir()
        os.chown(store / "records", USERS[0], GROUP)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(0.2)  # as a process that is interrupted between making a folder and giving it its rights
        (store / "records").chmod(0o2775)
        assert process.stdout.readline() == "ready\n"
        lock = store / "records/lock"
        lock.touch(0o600)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(0.2)
        lock.chmod(0o644)
        assert process.wait() == 0
    assert (store / "records/file").exists()
    note(
        "a folder of the store, then a lock file in it, is made by another user, who gives it its rights 0.2 s later",
        1,
        "the user waits, and writes and locks there",
    )
