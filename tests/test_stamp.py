"""Stamps: builds that have nothing to do, and every change that makes them run again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt2forge import stamp
from gpt2forge.store.stat_cache import TICK
from tests.workshop import ROOT, Workshop, copy_workshop

pytestmark = pytest.mark.slow

CURRENT = "current mine-int8: nothing changed since it was built"
RECIPE = """\
name: mine-int8
extends: parent.yaml
source:
  checkpoint: mine
quantization:
  scheme: int8
  granularity: 128
  embeddings: int8
"""
PARENT = """\
target:
  device: cpu
"""
PROVING = """\
verify:
  text: text.txt
  tokens: 2048
"""
"""Added to PARENT: what the workshop that is copied has measured."""


def start(shop: Workshop, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `gpt2forge` with these words; in a fresh process where `options` of subprocess.run ask for one."""
    if not options:
        return shop.run(*words, measured=True)
    command = [sys.executable, "-m", "gpt2forge", *words]
    done = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return done  # type: ignore[no-any-return]


def build(shop: Workshop) -> list[str]:
    """Build, and return the lines of stderr."""
    return start(shop, "build", "mine-int8").stderr.splitlines()


def settle(shop: Workshop) -> None:
    """Build until nothing is left to do."""
    if build(shop) != [CURRENT]:
        time.sleep(2 * TICK / 1e9)  # an input that changed just now is not trusted
        build(shop)
        assert build(shop) == [CURRENT]


def make_shop(folder: Path, made: Workshop) -> Workshop:
    """Make a workshop whose sources can be changed, with the artifacts of another one."""
    shutil.copytree(made.store, folder / "cache", symlinks=True)
    shutil.rmtree(folder / "cache/roots")
    (folder / "recipes").mkdir()
    (folder / "recipes/mine-int8.yaml").write_text(RECIPE)
    (folder / "recipes/parent.yaml").write_text(PARENT)
    shutil.copytree(ROOT / "examples/nano", folder / "mine")
    shutil.copyfile(ROOT / "examples/nano/heldout.txt", folder / "text.txt")
    return Workshop(folder)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    made = make_shop(tmp_path_factory.mktemp("current") / "here", built_once)
    settle(made)
    return made


@pytest.fixture
def proven(tmp_path: Path, measured_once: Workshop) -> Workshop:
    """Return a workshop whose recipe is measured on text.txt."""
    shop = make_shop(tmp_path / "proven", measured_once)
    (shop.folder / "recipes/parent.yaml").write_text(PARENT + PROVING)
    settle(shop)
    return shop


def test_current_build_prints_the_output_of_the_build(shop: Workshop) -> None:
    whole = start(shop, "build", "mine-int8", "--store", "cache")
    quick = start(shop, "build", "mine-int8")
    assert quick.stderr.splitlines() == [CURRENT]
    assert quick.stdout == whole.stdout
    assert whole.stdout.splitlines()[0] == "build/mine-int8"
    assert "size     1.7 MB, 31 % of float32" in whole.stdout.splitlines()


def test_current_build_imports_few_own_modules_and_no_library(shop: Workshop) -> None:
    settle(shop)
    command = [sys.executable, "-X", "importtime", "-m", "gpt2forge", "build", "mine-int8"]
    lines = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True, check=True).stderr.splitlines()
    assert lines[-1] == CURRENT
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert {name for name in names if name.startswith("gpt2forge")} == {
        *("gpt2forge", "gpt2forge.main", "gpt2forge.stamp", "gpt2forge.regular_file", "gpt2forge.terminal_text")
    }
    assert not names & {"pathlib", "json", "re", "click", "dataclasses"} - list_bare()
    strangers = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert not strangers & {"yaml", "pydantic", "rich", "click", "numpy", "onnx", "onnxruntime", "torch", "psutil"}


def list_bare() -> set[str]:
    """List the modules that Python itself imports to run a module."""
    command = [sys.executable, "-X", "importtime", "-m", "this"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines}


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "# a remark\n")


def swap(path: Path) -> None:
    """Change bytes but keep size and time, as `touch -r` and `rsync -t` do."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[0], data[-1] = data[-1], data[0]
    assert data != path.read_bytes()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    """Put the same bytes in another file, as an editor saves them."""
    aside = path.with_name("aside")
    shutil.copy2(path, aside)
    aside.replace(path)


def truncate(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(10)


def relink(path: Path) -> None:
    target = path.readlink()
    path.unlink()
    path.symlink_to(f"{str(target)[:-1]}{'0' if str(target)[-1] != '0' else '1'}")


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "recipe": ("recipes/mine-int8.yaml", edit),
    "parent": ("recipes/parent.yaml", edit),
    "vocabulary with the old size and time": ("mine/encoder.json", replace),
    "weights that were touched": ("mine/model.ckpt.index", lambda path: path.touch()),
    "another file in the checkpoint": ("mine/other", lambda path: path.write_text("")),
    "published file cut off": ("build/mine-int8/model.onnx_data", truncate),
    "report gone": ("build/mine-int8.json", Path.unlink),
    "link that leads elsewhere": ("build/mine-int8", relink),
    "record gone": ("cache/records/fuse", shutil.rmtree),
    "stamp of nothing": ("build/.mine-int8.stamp", lambda path: path.write_text("")),
    "stamp cut off": ("build/.mine-int8.stamp", lambda path: path.write_text(path.read_text()[:3000])),
    "stamp of bytes": ("build/.mine-int8.stamp", lambda path: path.write_bytes(b"\xff\xfe")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_noticed(shop: Workshop, change: str) -> None:
    place, act = CHANGES[change]
    names = sorted(path.name for path in (shop.folder / "mine").iterdir())
    if change.startswith("weights"):
        place = f"mine/{next(name for name in names if name.endswith('.index'))}"
    settle(shop)
    act(shop.folder / place)
    lines = build(shop)
    assert CURRENT not in lines
    assert len(lines) >= 4  # one line per step
    report = json.loads((shop.folder / "build/mine-int8.json").read_text())
    assert report["error"] is None
    assert (shop.folder / "build/mine-int8/model.onnx").is_file()


def test_text_with_the_old_size_and_time_is_noticed(proven: Workshop) -> None:
    """Interrupt the build as soon as it measures anew."""
    swap(proven.folder / "text.txt")
    command = [sys.executable, "-m", "gpt2forge", "build", "mine-int8"]
    with subprocess.Popen(command, cwd=proven.folder, stderr=subprocess.PIPE, text=True) as running:
        wait_for_a_step(proven, running)
        running.send_signal(signal.SIGTERM)
        messages = running.communicate()[1].splitlines()
    assert [line.split()[0] for line in messages[:4]] == ["reused"] * 4
    assert running.returncode == 130


def wait_for_a_step(shop: Workshop, build: subprocess.Popen[Any]) -> None:
    """Wait until a step of a build has begun."""
    while not list((shop.store / "making").glob("*")):
        assert build.poll() is None
        time.sleep(0.01)


@pytest.mark.usefixtures("all_processors")
def test_fewer_processors_are_noticed(shop: Workshop) -> None:
    settle(shop)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    assert CURRENT not in build(shop)


def test_other_libraries_are_noticed(shop: Workshop, tmp_path: Path) -> None:
    settle(shop)
    done = start(shop, "build", "mine-int8", env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"})
    assert CURRENT not in done.stderr.splitlines()


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, measured_once: Workshop) -> Workshop:
    """Make a workshop whose sources are links, each with a second target; to copy, not to change."""
    shop = make_shop(tmp_path_factory.mktemp("linked") / "here", measured_once)
    (shop.folder / "recipes/parent.yaml").write_text(PARENT + PROVING)
    for name in ("mine", "text.txt", "recipes"):
        (shop.folder / name).rename(shop.folder / f"{name}.1")
        (shop.folder / name).symlink_to(f"{name}.1")
    for name in ("mine", "recipes"):
        shutil.copytree(shop.folder / f"{name}.1", shop.folder / f"{name}.2")
    (shop.folder / "text.txt.2").write_text((shop.folder / "text.txt.1").read_text()[1000:])
    (shop.folder / "mine.2/vocab.bpe").write_text((shop.folder / "mine.1/vocab.bpe").read_text() + "\n")
    (shop.folder / "recipes.2/mine-int8.yaml").write_text(RECIPE.replace("scheme: int8", "scheme: int4"))
    settle(shop)
    return shop


@pytest.mark.parametrize("link", ["mine", "text.txt", "recipes"])
def test_link_that_leads_elsewhere_while_a_build_runs_leaves_no_stamp(
    linked: Workshop, tmp_path: Path, link: str
) -> None:
    """Relink to an older target: only the stats of what the build read can show the change."""
    shop = copy_workshop(linked, tmp_path / "here")
    settle(shop)
    stamp_file = shop.folder / "build/.mine-int8.stamp"
    assert stamp_file.exists()
    command = [sys.executable, "-m", "gpt2forge", "build", "mine-int8", "--rerun", "fuse"]
    running = subprocess.Popen(command, cwd=shop.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_step(shop, running)
    aside = shop.folder / "aside"
    aside.symlink_to(f"{link}.2")
    aside.replace(shop.folder / link)
    assert running.wait() == 0
    assert not stamp_file.exists()


def test_recipe_of_the_same_name_elsewhere_is_another(shop: Workshop) -> None:
    (shop.folder / "other").mkdir()
    text = RECIPE.replace("parent.yaml", "../recipes/parent.yaml").replace("scheme: int8", "scheme: int4")
    (shop.folder / "other/mine-int8.yaml").write_text(text)
    settle(shop)
    time.sleep(2 * TICK / 1e9)
    start(shop, "build", "other/mine-int8.yaml")
    assert start(shop, "build", "other/mine-int8.yaml").stderr.splitlines() == [CURRENT]
    assert CURRENT not in build(shop)
    assert CURRENT not in start(shop, "build", "other/mine-int8.yaml").stderr.splitlines()


def test_working_directory_that_moved_is_noticed_and_its_output_recorded_again(shop: Workshop, tmp_path: Path) -> None:
    settle(copy_workshop(shop, tmp_path / "one"))
    moved = Workshop((tmp_path / "one").rename(tmp_path / "two"))
    assert CURRENT not in build(moved)
    moved.run("store", "gc", "--max-size", "0")
    assert (moved.folder / "build/mine-int8/model.onnx").is_file()


def test_output_that_is_no_longer_noted_in_the_store_is_noted_again(shop: Workshop) -> None:
    settle(shop)
    for path in (shop.store / "roots").glob("*.json"):
        path.unlink()
    assert CURRENT not in build(shop)
    assert len(list((shop.store / "roots").glob("*.json"))) == 1


def test_tool_that_comes_before_the_installed_one_is_noticed(shop: Workshop, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    time.sleep(2 * TICK / 1e9)
    start(shop, "build", "mine-int8", env=environment)
    assert start(shop, "build", "mine-int8", env=environment).stderr.splitlines() == [CURRENT]
    (tmp_path / "onnx-99.0.0.dist-info").mkdir()
    (tmp_path / "onnx-99.0.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: onnx\nVersion: 99.0.0\n")
    assert CURRENT not in start(shop, "build", "mine-int8", env=environment).stderr.splitlines()


def test_new_folder_in_the_clone_of_an_editable_installation_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/libraries", str(ROOT)])
    assert stamp.list_library_paths() == ["/libraries"]
    monkeypatch.setattr(sys, "path", [str(ROOT), "/libraries"])  # there a new folder can hide an installed module
    assert stamp.list_library_paths() == [str(ROOT), "/libraries"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_output_that_cannot_be_written_is_one_line(shop: Workshop) -> None:
    settle(shop)
    command = [sys.executable, "-m", "gpt2forge", "build", "mine-int8"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=shop.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert "error: the disk: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--set", "quantization.scheme=int4", "--name", "other"], ["--skip", "verify"]])
def test_only_the_plain_command_leaves_a_stamp(shop: Workshop, words: list[str]) -> None:
    settle(shop)
    stamp = (shop.folder / "build/.mine-int8.stamp").read_bytes()
    done = start(shop, "build", "mine-int8", *words)
    assert CURRENT not in done.stderr
    assert [path.name for path in (shop.folder / "build").glob(".*.stamp")] == [".mine-int8.stamp"]
    assert (shop.folder / "build/.mine-int8.stamp").read_bytes() == stamp


def test_warning_is_printed_again(proven: Workshop) -> None:
    (proven.folder / "examples/nano").mkdir(parents=True)
    (proven.folder / "text.txt").rename(proven.folder / "examples/nano/text.txt")
    (proven.folder / "recipes/parent.yaml").write_text(PARENT + PROVING.replace("text.txt", "examples/nano/text.txt"))
    time.sleep(2 * TICK / 1e9)
    build(proven)
    first, second = build(proven)
    assert first == CURRENT
    assert second.startswith("warning: recipes/parent.yaml:4:3: `examples/nano/text.txt` is Python code")


def test_path_of_two_lines_cannot_be_in_a_stamp() -> None:
    with pytest.raises(ValueError, match="several lines"):
        stamp.format_stamp("a", ["stat a\nb\t1"], stamp.Printed([], (), ""))


VARIANTS = """\
name: mine
extends: parent.yaml
source:
  checkpoint: mine
verify: null
matrix:
  int8: {quantization: {scheme: int8}}
  int4: {quantization: {scheme: int4}}
"""
NOTHING = "nothing changed since it was built"
BOTH = [f"current mine@int8: {NOTHING}", f"current mine@int4: {NOTHING}"]


def make_variants(shop: Workshop) -> Path:
    """Make a recipe with two variants, both built until nothing is left to do; return its path."""
    recipe = shop.folder / "recipes/mine.yaml"
    recipe.write_text(VARIANTS)
    time.sleep(2 * TICK / 1e9)
    start(shop, "build", "mine")
    assert start(shop, "build", "mine").stderr.splitlines() == BOTH
    return recipe


def build_all(shop: Workshop, *names: str) -> list[str]:
    return start(shop, "build", *names).stderr.splitlines()


def test_variants_have_stamps_of_their_own(shop: Workshop) -> None:
    make_variants(shop)
    assert build_all(shop, "mine@int4") == BOTH[1:]
    assert build_all(shop, "mine@int4", "mine") == BOTH[::-1]
    quick, whole = start(shop, "build", "mine"), start(shop, "build", "mine", "--store", "cache")
    assert quick.stdout == whole.stdout
    assert [line.split()[0] for line in quick.stdout.splitlines()] == ["recipe", "mine@int8", "mine@int4"]


def test_variant_that_is_added_is_built_though_the_others_are_current(shop: Workshop) -> None:
    recipe = make_variants(shop)
    recipe.write_text(VARIANTS + "  fp32: {}\n")
    time.sleep(2 * TICK / 1e9)
    stamp = (shop.folder / "build/.mine.selection").read_bytes()
    start(shop, "build", "mine@int8", "mine@int4")
    assert build_all(shop, "mine@int8", "mine@int4") == BOTH
    for _ in range(2):
        assert BOTH[0] not in build_all(shop, "mine")
        assert (shop.folder / "build/mine@fp32/model.onnx").is_file()
        (shop.folder / "build/.mine.selection").write_bytes(stamp)  # an outdated one counts as none


@pytest.mark.parametrize("name", ["mine@int8", "mine"])
def test_file_of_a_variants_name_comes_first_as_soon_as_it_is_there(shop: Workshop, name: str) -> None:
    make_variants(shop)
    own = shop.folder / "recipes/mine@int8.yaml"
    own.write_text(VARIANTS.partition("matrix")[0].replace("name: mine", "name: mine@int8"))
    try:
        assert BOTH[0] not in build_all(shop, name)
        values = json.loads((shop.folder / "build/mine@int8.json").read_text())["values"]
        assert values["quantization"]["scheme"] == "none"
        time.sleep(2 * TICK / 1e9)
        build_all(shop, "mine@int8")
        assert build_all(shop, "mine@int8") == BOTH[:1]
    finally:
        own.unlink()
    assert BOTH[0] not in build_all(shop, "mine@int8")


@pytest.mark.parametrize("change", ["gpt2forge.yaml", "recipes/mine.yaml", "recipes/parent.yaml"])
def test_variants_are_looked_at_where_a_file_has_changed(shop: Workshop, change: str) -> None:
    make_variants(shop)
    path = shop.folder / change
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + "# a remark\n")
    try:
        for names in (["mine@int8"], ["mine"]):
            assert BOTH[0] not in build_all(shop, *names)
    finally:
        path.unlink() if before is None else path.write_text(before)


def test_variant_that_a_file_comes_before_leaves_no_stamp(shop: Workshop) -> None:
    make_variants(shop)
    own = shop.folder / "recipes/mine@int8.yaml"
    own.write_text(VARIANTS.partition("matrix")[0].replace("name: mine", "name: mine@int8"))
    time.sleep(2 * TICK / 1e9)
    try:
        start(shop, "build", "recipes/mine.yaml@int8")
        assert BOTH[0] not in build_all(shop, "mine@int8")
    finally:
        own.unlink()
