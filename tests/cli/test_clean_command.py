"""`gpt2forge clean`: what it removes, what it keeps, and when it asks."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_list_command import PLAIN
from tests.workshop import Workshop, copy_workshop


@pytest.fixture
def shop(tmp_path: Path, built_once: Workshop) -> Workshop:
    """Make a folder in which two recipes are built that share all steps but the last, and nothing else is noted."""
    shop = copy_workshop(built_once, tmp_path / "here")
    shutil.rmtree(shop.store / "roots")
    for path in (shop.folder / "recipes", *shop.folder.glob("build/nano*")):
        path.unlink()
    (shop.folder / "recipes").mkdir()
    for name in ("plain", "small"):
        text = PLAIN.replace("plain", name).replace("int8", "int8" if name == "plain" else "int4")
        (shop.folder / f"recipes/{name}.yaml").write_text(text)
    shop.run("build", "plain", "small")
    return shop


def list_artifacts(shop: Workshop) -> set[str]:
    return {path.name for path in (shop.store / "artifacts").iterdir() if path.is_dir()}


def test_result_goes_with_what_only_it_used(shop: Workshop) -> None:
    kept, gone = (Path(os.path.realpath(shop.folder / "build" / name)).name for name in ("plain", "small"))
    before = list_artifacts(shop)
    dry = json.loads(shop.run("clean", "small", "--dry-run", "--json").stdout)
    assert list_artifacts(shop) == before and (shop.folder / "build/small").is_dir()
    done = json.loads(shop.run("clean", "small", "--yes", "--json").stdout)
    assert done == {**dry, "dry_run": False, "leftovers": done["leftovers"]}
    assert [item["digest"] for item in done["artifacts"]] == [gone]
    assert list(done["outputs"]) == ["build/small"] and done["outputs"]["build/small"] > 1_000_000
    assert list_artifacts(shop) == before - {gone} and kept in before
    assert sorted(path.name for path in (shop.folder / "build").iterdir() if "small" in path.name) == []
    assert shop.run("plan", "plain").stderr == "nothing to make: every step is done\n"


def test_without_a_name_only_the_store_is_cleaned(shop: Workshop) -> None:
    recipe = shop.folder / "recipes/small.yaml"
    recipe.write_text(recipe.read_text().replace("int4", "none"))
    shop.run("build", "small")
    done = json.loads(shop.run("clean", "--json").stdout)
    assert [item["stage"] for item in done["artifacts"]] == ["quantize"]
    assert done["outputs"] == {} and (shop.folder / "build/small").is_dir()
    assert shop.run("clean").stdout == "removed 0 B in 0 artifacts and 0 leftovers\n"


def test_results_go_only_with_consent(shop: Workshop) -> None:
    done = shop.run("clean", "plain", "small", code=1)
    assert "error: `build/plain`, `build/small`: published results are removed only with `--yes`" in done.stderr
    refused = answer(shop, "n")
    assert refused.returncode == 1 and b"nothing was removed" in refused.stdout + refused.stderr
    assert (shop.folder / "build/plain").is_dir()
    assert answer(shop, "y").returncode == 0
    assert not (shop.folder / "build/plain").exists()


def answer(shop: Workshop, word: str) -> subprocess.CompletedProcess[bytes]:
    """Run `clean plain` on a terminal, and type a word."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{word}\n".encode())
    command = [sys.executable, "-m", "gpt2forge", "clean", "plain"]
    done = subprocess.run(command, cwd=shop.folder, stdin=theirs, capture_output=True, check=False)
    assert b"build/plain  1.7 MB, with its report" in done.stderr
    return done


def test_wrong_names_remove_nothing(shop: Workshop) -> None:
    done = shop.run("clean", "plaim", "--yes", code=1)
    assert done.stderr == "error: `plaim`: nothing is published under this name; did you mean `plain`?\n"
    (shop.folder / "build/own").mkdir()
    (shop.folder / "build/own/model.onnx").touch()
    assert "is not a link that gpt2forge made" in shop.run("clean", "o*", "plain", "--yes", code=1).stderr
    assert (shop.folder / "build/plain").is_dir()


def test_folder_without_a_store_stays_without(tmp_path: Path) -> None:
    assert Workshop(tmp_path).run("clean").stdout == "removed 0 B in 0 artifacts and 0 leftovers\n"
    assert list(tmp_path.iterdir()) == []
