"""Sources that change without a change of size or time: the key is always that of a fresh store."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.recipe.load import load_recipe
from gpt2forge.store.store import Store
from tests.faults.conftest import Note
from tests.workshop import ROOT, UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow

CHECKPOINT = "source.checkpoint=mine"
WORDS = ("--set", CHECKPOINT, "--name", "mine")
FRESH = "fresh"
DAY = 86400 * 10**9  # ns
EARLIER = (  # the real command with its clock set back
    "import time, sys; now, now_ns = time.time, time.time_ns; "
    f"time.time, time.time_ns = lambda: now() - {DAY // 10**9}, lambda: now_ns() - {DAY}; "
    "from gpt2forge.cli.program import main; main()"
)


@pytest.fixture
def shop(tmp_path: Path, built_once: Workshop) -> Workshop:
    """Make a workshop with a checkpoint of its own, and a store that has read the code, but nothing of that checkpoint."""
    made = make_workshop(tmp_path / "here")
    shutil.copytree(ROOT / "examples/nano", made.folder / "mine")
    for name in ("cache", FRESH):
        shutil.copytree(built_once.store, made.folder / name, ignore=shutil.ignore_patterns("roots"))
    return made


def make_key(shop: Workshop, store: str) -> str:
    """Return the key of convert that a build in a store makes. The store FRESH stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shop.folder)
        job = make_job(load_recipe("nano-cpu-int8", [CHECKPOINT], "mine"), ("verify", "benchmark"))
        opened = Store(Path(store), is_read_only=store == FRESH)
        return str(make_plan(job, Readings(opened), lambda done, total, unit: None).steps[0].key)


def make_key_earlier(shop: Workshop, store: str) -> str:
    """Return the key of convert that `gpt2forge plan` shows with its clock set back."""
    words = ("plan", "nano-cpu-int8", "--json", "--store", store, *WORDS, *UNMEASURED)
    command = [sys.executable, "-c", EARLIER, *words]
    done = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["steps"][0]["key"])


def edit(path: Path, draw: random.Random) -> None:
    """Change the bytes of hparams.json, but not its size or meaning."""
    before = path.read_bytes()
    while path.read_bytes() == before:
        pairs = list(json.loads(before).items())
        draw.shuffle(pairs)
        path.write_text(json.dumps(dict(pairs)) + "\n" * before.endswith(b"\n"))
    assert path.stat().st_size == len(before)


def edit_at_once(folder: Path, draw: random.Random) -> None:
    edit(folder / "hparams.json", draw)


def edit_and_restore_time(folder: Path, draw: random.Random) -> None:
    before = (folder / "hparams.json").stat()
    edit(folder / "hparams.json", draw)
    os.utime(folder / "hparams.json", ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(folder: Path, draw: random.Random) -> None:
    """Put another file of the same size and time there, as `cp -p` and `mv` or rsync do."""
    other = folder.with_name("other")
    other.mkdir(exist_ok=True)
    shutil.copy2(folder / "hparams.json", other)
    edit_and_restore_time(other, draw)
    (other / "hparams.json").replace(folder / "hparams.json")


def exchange_folder(folder: Path, draw: random.Random) -> None:
    """Put another checkpoint there, of the same name, sizes and times."""
    aside = folder.with_name(f"aside-{draw.randrange(1 << 30)}")
    folder.rename(aside)
    shutil.copytree(aside, folder, symlinks=True)
    edit_and_restore_time(folder, draw)


def lead_link_elsewhere(folder: Path, draw: random.Random) -> None:
    """Let the link of the checkpoint lead to another one of the same sizes and times."""
    aside, other = (folder.with_name(f"{name}-{draw.randrange(1 << 30)}") for name in ("real", "other"))
    if folder.is_symlink():
        aside = folder.resolve()
        folder.unlink()
    else:
        folder.rename(aside)
    shutil.copytree(aside, other, symlinks=True)
    edit_and_restore_time(other, draw)
    folder.symlink_to(other)


def lead_link_of_a_file_elsewhere(folder: Path, draw: random.Random) -> None:
    path, other = folder / "hparams.json", folder.with_name(f"file-{draw.randrange(1 << 30)}")
    other.mkdir()
    shutil.copy2(path, other)
    edit_and_restore_time(other, draw)
    path.unlink()
    path.symlink_to(other / "hparams.json")


def edit_in_the_future(folder: Path, draw: random.Random) -> None:
    edit(folder / "hparams.json", draw)
    os.utime(folder / "hparams.json", ns=(time.time_ns() + DAY,) * 2)


def edit_in_whole_seconds(folder: Path, draw: random.Random) -> None:
    """Edit with times in whole seconds, as on file systems that keep no fractions."""
    edit(folder / "hparams.json", draw)
    os.utime(folder / "hparams.json", (int(time.time()),) * 2)


WAYS = (
    *(edit_at_once, edit_and_restore_time, exchange, exchange_folder, lead_link_elsewhere),
    *(lead_link_of_a_file_elsewhere, edit_in_the_future, edit_in_whole_seconds),
)


def test_every_change_of_a_source_is_another_key(
    shop: Workshop, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    before = make_key(shop, "cache")
    for number in range(count := max(len(WAYS), rounds(1))):
        way = WAYS[number % len(WAYS)]
        way(shop.folder / "mine", draw)
        key = make_key(shop, "cache")
        assert key != before, way.__name__
        assert key == make_key(shop, "cache") == make_key(shop, FRESH), way.__name__
        before = key
    note(
        "a source of the same size that is edited within a tick, replaced, renamed or linked, or has its old or a future time",
        count,
        "the key was the one of a fresh store",
    )


def test_clock_that_was_set_back_gives_the_same_keys(
    shop: Workshop, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    """Set the clock back: then the store, its stat cache, the source and each later edit are in the future."""
    shop.run("build", "nano-cpu-int8", *WORDS, "--until", "convert")
    assert make_key_earlier(shop, "cache") == make_key(shop, FRESH)
    for _ in range(count := rounds(1)):
        draw.choice(WAYS)(shop.folder / "mine", draw)
        assert make_key_earlier(shop, "cache") == make_key(shop, FRESH) == make_key(shop, "cache")
    note(
        "the clock is set back by a day, so that the store and the edited sources have times in the future",
        count,
        "the key was the one of a fresh store",
    )


def test_stamp_of_a_build_sees_the_same_changes(
    shop: Workshop, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    """Check the stamp of `gpt2forge build NAME` too: it compares only stats, as the stat cache does."""
    (shop.folder / "recipes").unlink()
    (shop.folder / "recipes").mkdir()
    text = "name: plain\nsource:\n  checkpoint: mine\ntarget:\n  device: cpu\n"
    (shop.folder / "recipes/plain.yaml").write_text(text)
    for number in range(count := min(rounds(1), 20)):
        before = shop.report("plain", measured=True)["steps"][0]["key"]
        shop.run("build", "plain", measured=True)
        assert "nothing changed since it was built" in shop.run("build", "plain", measured=True).stderr
        way = WAYS[number % (len(WAYS) - 2)]  # the last two leave no stamp, because their times cannot be trusted
        way(shop.folder / "mine", draw)
        assert "nothing changed" not in shop.run("build", "plain", measured=True).stderr, way.__name__
        assert shop.report("plain", measured=True)["steps"][0]["key"] != before, way.__name__
    note("the same edits after a build that left a stamp", count, "the next build noticed each edit")
