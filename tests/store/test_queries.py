"""Queries leave the store exactly as it is: sound, damaged, read-only or missing."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.store.store import Store
from tests.cli.test_store_command import rot
from tests.workshop import UNMEASURED, Workshop, copy_workshop

pytestmark = pytest.mark.slow

BUILT = ("nano-cpu-int8", "nano-cpu-int4")
COMPARE = ("compare", "--json", *BUILT, *UNMEASURED)
QUERIES = (
    ("plan", *BUILT, *UNMEASURED),
    ("plan", "nano-cpu-int8", "--json", "--set", "quantization.granularity=32"),
    ("why", "nano-cpu-int8", *UNMEASURED),
    ("why", "nano-cpu-int8", "quantize", "--json"),
    ("diff", *BUILT),
    ("store", "ls"),
    ("store", "verify"),
    ("store", "gc", "--max-size", "0", "--dry-run"),
    ("generate", "nano-cpu-int8", "-p", "def", "-n", "2"),
)
WITHOUT_STORE = (
    ("recipe", "show", "nano-cpu-int8"),
    ("compare", "--json", *(f"build/{name}.json" for name in BUILT)),
)


@pytest.fixture(scope="module")
def built_twice(tmp_path_factory: pytest.TempPathFactory, built_once: Workshop) -> Workshop:
    shop = copy_workshop(built_once, tmp_path_factory.mktemp("queries") / "here")
    shutil.rmtree(shop.store / "roots")  # it names the place that this was copied from
    for name in BUILT:
        shop.run("build", name)
    return shop


@pytest.fixture
def shop(tmp_path: Path, built_twice: Workshop) -> Workshop:
    """Return a copy, whose files have other stats: the stat cache knows none of them."""
    return copy_workshop(built_twice, tmp_path / "here")


def take_snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Describe a folder and everything in it by name, kind and mode, size, mtime and inode."""
    return dict(describe_tree(folder)) if folder.exists() else {}


def describe_tree(folder: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    for path in (folder, *sorted(folder.rglob("*"))):
        stat = path.lstat()
        yield str(path.relative_to(folder.parent)), (stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def digest_files(folder: Path) -> dict[Path, str]:
    """Return the digest of every file in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_queries(shop: Workshop, *queries: tuple[str, ...]) -> None:
    before, contents = take_snapshot(shop.store), digest_files(shop.store)
    for words in queries:
        done = shop.start(*words)
        assert done.returncode in (0, 1), f"{words}: {done.stderr}"
        assert take_snapshot(shop.store) == before, words
    assert digest_files(shop.store) == contents


def find_step(shop: Workshop, stage: str) -> dict[str, Any]:
    report = json.loads((shop.folder / "build/nano-cpu-int8.json").read_text())
    found: dict[str, Any] = next(step for step in report["steps"] if step["stage"] == stage)
    return found


def find_artifact(shop: Workshop, stage: str) -> Path:
    return shop.store / "artifacts" / str(find_step(shop, stage)["digest"])


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def flip_convert(shop: Workshop) -> None:
    flip(find_artifact(shop, "convert") / "model.safetensors")


def flip_package(shop: Workshop) -> None:
    flip(find_artifact(shop, "quantize") / "model.onnx_data")


def rot_package(shop: Workshop) -> None:
    rot(find_artifact(shop, "quantize") / "model.onnx_data", Store(shop.store).stat_cache)


def cut_record(shop: Workshop) -> None:
    path = shop.store / f"records/fuse/{find_step(shop, 'fuse')['key']}.json"
    path.write_bytes(path.read_bytes()[:100])


def remove_manifest(shop: Workshop) -> None:
    find_artifact(shop, "export").with_suffix(".json").unlink()


def forbid_writing(shop: Workshop) -> None:
    for path in (shop.store, *shop.store.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)


def remove_what_a_build_makes(shop: Workshop) -> None:
    """Remove the file that `hold` locks and the stat cache, which commands that build would make again."""
    (shop.store / "held").unlink()
    shutil.rmtree(shop.store / "stat_cache")


DAMAGES = (
    *(flip_convert, flip_package, rot_package, cut_record, remove_manifest),
    *(remove_what_a_build_makes, forbid_writing),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_queries_leave_a_store_as_it_is(shop: Workshop, damage: Callable[[Workshop], None]) -> None:
    damage(shop)
    check_queries(shop, *QUERIES, *WITHOUT_STORE)


@pytest.mark.parametrize(
    "damage", [rot_package, remove_what_a_build_makes, forbid_writing], ids=lambda damage: damage.__name__
)
def test_comparing_what_is_built_leaves_the_store_as_it_is(shop: Workshop, damage: Callable[[Workshop], None]) -> None:
    damage(shop)
    check_queries(shop, COMPARE)
    compared = json.loads(shop.run(*COMPARE).stdout)["reports"]
    assert [report["recipe"] for report in compared] == list(BUILT)
    assert {step["outcome"] for report in compared for step in report["steps"]} == {"reused"}
    assert all(report["bytes"]["package"] for report in compared)


def test_queries_make_no_store(shop: Workshop) -> None:
    shutil.rmtree(shop.store)
    check_queries(shop, *QUERIES, *WITHOUT_STORE)
    assert not shop.store.exists()


@pytest.mark.parametrize(("damage", "stage"), [(flip_convert, "convert"), (remove_manifest, "export")])
def test_build_puts_aside_what_a_plan_only_reports(
    shop: Workshop, damage: Callable[[Workshop], None], stage: str
) -> None:
    damage(shop)
    planned = json.loads(shop.run("plan", "nano-cpu-int8", "--json", *UNMEASURED).stdout)["steps"]
    assert [step["reason"] for step in planned if step["verdict"] == "will run"] == ["its artifact is gone or damaged"]
    digest = find_step(shop, stage)["digest"]
    built = shop.report("nano-cpu-int8")["steps"]
    assert [(step["stage"], step["digest"]) for step in built if step["outcome"] == "built"] == [(stage, digest)]
    assert [path.name for path in (shop.store / "damaged").iterdir()] == [digest]
    assert "0 damaged" in shop.run("store", "verify").stdout
