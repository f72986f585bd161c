"""`gpt2forge store` on a real store."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.cli import program
from gpt2forge.cli import store_command as stores
from gpt2forge.digest import digest_file, digest_value
from gpt2forge.settings import Settings, StoreSettings
from gpt2forge.store.artifacts import LocalArtifacts
from gpt2forge.store.atomic import put_aside
from gpt2forge.store.gc import OLD, choose
from gpt2forge.store.inventory import Item, list_records, measure_store
from gpt2forge.store.stat_cache import StatCache, read_stat
from gpt2forge.store.store import Store
from gpt2forge.units import format_size
from tests.workshop import UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(built: Workshop) -> Workshop:
    return built


def inspect(shop: Workshop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shop.run("store", "ls", "--json").stdout)["artifacts"]
    return found


def list_steps(shop: Workshop) -> set[str]:
    return {item["stage"] for item in inspect(shop)}


def test_ls_says_what_is_there_whose_it_is_and_what_it_costs(shop: Workshop) -> None:
    items = inspect(shop)
    assert {item["stage"] for item in items} == {"convert", "export", "fuse", "quantize"}
    assert [item["stage"] for item in items if item["published"]] == ["quantize"]
    assert all(item["recipes"] == ["nano-cpu-int8"] and item["seconds"] > 0 and item["used"] for item in items)
    artifacts = shop.store / "artifacts"
    for item in items:
        assert item["size"] == sum(path.stat().st_size for path in (artifacts / item["digest"]).iterdir())
    lines = shop.run("store", "ls").stdout.splitlines()
    assert lines[-1].endswith("in 4 artifacts")
    assert sum("nano-cpu-int8 (published)" in line for line in lines) == 1


def rot(path: Path, stat_cache: StatCache) -> None:
    """Flip a bit as a failing disk does: the stat cache still trusts the digest of the old content."""
    digest, data = digest_file(path), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
    stat_cache.remember(digest_value(asdict(read_stat(path))), digest)


def test_verify_finds_what_rotted_under_an_unchanged_stat_and_repair_makes_it_anew(shop: Workshop) -> None:
    store = Store(shop.store)
    good = shop.run("store", "verify").stdout
    assert good == "4 artifacts read, 0 damaged\n"
    digest = next(item["digest"] for item in inspect(shop) if item["stage"] == "quantize")
    before = (store.artifacts.folder(digest) / "model.onnx_data").read_bytes()
    rot(store.artifacts.folder(digest) / "model.onnx_data", store.stat_cache)
    assert store.artifacts.is_whole(digest)
    done = shop.run("store", "verify", code=1)
    assert done.stderr == (
        f"error: cache: damaged: `{digest[:12]}`; put aside with `--repair`, and the next build makes it again\n"
    )
    assert shop.run("store", "verify", "--repair").stdout == "4 artifacts read, 1 damaged and put aside\n"
    report = shop.report("nano-cpu-int8")
    assert [step["stage"] for step in report["steps"] if step["outcome"] == "built"] == ["quantize"]
    assert (store.artifacts.folder(digest) / "model.onnx_data").read_bytes() == before
    assert shop.run("store", "verify").stdout == good


def test_gc_keeps_what_an_output_leads_to(shop: Workshop) -> None:
    dry = json.loads(shop.run("store", "gc", "--max-size", "0", "--dry-run", "--json").stdout)
    assert {item["stage"] for item in dry["removed"]} == {"convert", "export", "fuse"}
    assert list_steps(shop) == {"convert", "export", "fuse", "quantize"}
    gone = json.loads(shop.run("store", "gc", "--max-size", "0", "--json").stdout)
    assert gone["bytes"] == dry["bytes"] > 5e6
    assert list_steps(shop) == {"quantize"}
    shop.run("generate", "nano-cpu-int8", "-p", "def", "-n", "2")
    planned = [line.split(maxsplit=2) for line in shop.run("plan", "nano-cpu-int8", *UNMEASURED).stdout.splitlines()]
    said = "its artifact was removed to make room, and nothing needs it"
    assert planned == [*(["done", name, said] for name in ("convert", "export", "fuse")), ["done", "quantize"]]
    asked = shop.run("why", "nano-cpu-int8", "convert", *UNMEASURED).stdout
    assert asked.split(maxsplit=2)[2] == f"{said}\n"


def test_what_gc_threw_away_is_made_again_only_where_it_is_needed(shop: Workshop) -> None:
    before = {step["stage"]: step["digest"] for step in shop.report("nano-cpu-int8")["steps"] if step["digest"]}
    shop.run("store", "gc", "--max-size", "1MB")
    assert [path.name for path in (shop.store / "artifacts").glob("*/")] == [before["quantize"]]
    plan = json.loads(shop.run("plan", "nano-cpu-int8", "--json", *UNMEASURED).stdout)["steps"]
    assert [step["verdict"] for step in plan] == ["done"] * 4
    assert plan[0]["reason"] == "its artifact was removed to make room, and nothing needs it"
    assert {step["outcome"] for step in shop.report("nano-cpu-int8")["steps"]} == {"reused", "skipped"}
    edited = shop.report("nano-cpu-int8", "--set", "quantization.granularity=64", "--name", "edited")["steps"]
    assert [step["outcome"] for step in edited[:4]] == ["built"] * 4
    assert [step["reason"] for step in edited[:3]] == ["its artifact was removed to make room"] * 3
    assert {step["stage"]: step["digest"] for step in edited[:3]}.items() <= before.items()


def test_gc_keeps_every_step_of_the_recipes_if_told(shop: Workshop) -> None:
    shop.run("build", "nano-cpu-int8", "--name", "other", "--set", "quantization.granularity=32")
    gone = json.loads(shop.run("store", "gc", "--max-size", "0", "--keep-recipes", "--json").stdout)
    assert gone["removed"] == []
    (shop.folder / "build/other").unlink()
    gone = json.loads(shop.run("store", "gc", "--max-size", "0", "--keep-recipes", "--json").stdout)
    assert gone["leftovers"] == 2  # the note of the removed output, and the log of its step
    assert [item["stage"] for item in gone["removed"]] == ["quantize"]
    assert {step["outcome"] for step in shop.report("nano-cpu-int8")["steps"]} == {"reused", "skipped"}


def test_gc_knows_the_outputs_of_other_working_directories(shop: Workshop, tmp_path: Path) -> None:
    other = make_workshop(tmp_path / "other")
    other.run("build", "nano-cpu-int4", "--store", str(shop.store))
    shop.run("store", "gc", "--max-size", "0")
    other.run("generate", "nano-cpu-int4", "-p", "def", "-n", "2")
    (other.folder / "build").rename(other.folder / "hidden")
    shop.run("store", "gc", "--max-size", "0")  # an output that is not visible from here may still exist
    (other.folder / "hidden").rename(other.folder / "build")
    other.run("generate", "nano-cpu-int4", "-p", "def", "-n", "2")
    (other.folder / "build/nano-cpu-int4").unlink()
    shop.run("store", "gc", "--max-size", "0")
    assert [item["recipes"] for item in inspect(shop)] == [["nano-cpu-int8"]]


def test_gc_clears_what_killed_builds_left_and_leaves_what_one_works_in(shop: Workshop) -> None:
    store = Store(shop.store)
    dead, alive = "d" * 64, "a" * 64
    for key in (dead, alive):
        store.make_workspace(key)
    (shop.store / "locks" / dead).touch()
    (shop.store / "damaged" / dead).mkdir(parents=True)
    check, aside = shop.folder / ".gpt2forge-check-01234567", shop.folder / "build/.aside-abcdefgh"
    check.mkdir()
    aside.touch()
    os.utime(aside, (1, 1))
    with store.lock(alive):
        done = shop.run("store", "gc")
        assert [path.name for path in (shop.store / "locks").iterdir()] == [alive]
    assert done.stdout.splitlines()[-1] == "removed 0 B in 0 artifacts and 2 leftovers"
    assert [path.name for path in (shop.store / "making").iterdir()] == [alive]
    assert not check.exists() and not aside.exists()


def test_gc_waits_for_a_build_and_says_so(shop: Workshop) -> None:
    command = [sys.executable, "-m", "gpt2forge", "store", "gc", "--max-size", "0"]
    with Store(shop.store).hold():
        gc = subprocess.Popen(command, cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert gc.stderr
        line = gc.stderr.readline()
        assert line == "cache: waiting for a build, or another command, that is using it\n"
        assert len(inspect(shop)) == 4
    assert gc.communicate()[0].splitlines()[-1].startswith("removed ")
    assert gc.returncode == 0
    assert list_steps(shop) == {"quantize"}


def test_gc_that_has_waited_too_long_removes_nothing_and_is_no_error(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stores, "LONGEST_WAIT", 0.1)
    monkeypatch.chdir(shop.folder)
    with Store(shop.store).hold():
        assert program.run(["store", "gc", "--max-size", "0"]) == 0
        assert program.run(["store", "gc", "--max-size", "0", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[1] == (
        "warning: cache: is still in use; nothing was removed, and a later `store gc` will do so"
    )
    found = json.loads(said.out)  # without --json it writes nothing, because it removed nothing
    assert (found["bytes"], found["removed"], found["in_use"]) == (0, [], True)
    assert len(inspect(shop)) == 4


def test_output_that_nobody_noted_is_kept_where_it_can_be_seen_and_else_nothing_goes(shop: Workshop) -> None:
    for path in (shop.store / "roots").glob("*.json"):
        path.unlink()
    shop.run("store", "gc", "--max-size", "0")
    assert list_steps(shop) == {"quantize"}
    (shop.store / "roots").rmdir()
    Store(shop.store).make_workspace("d" * 64)
    done = shop.run("store", "gc", "--max-size", "0", code=1)
    fix = "so only leftovers go; build again what is to be kept"
    assert done.stderr == f"error: cache: does not know which outputs use it, {fix}\n"
    assert not list((shop.store / "making").iterdir())
    assert list_steps(shop) == {"quantize"}
    assert shop.run("store", "verify").stdout == "1 artifact read, 0 damaged\n"


def test_build_that_fails_or_stops_early_throws_nothing_away(shop: Workshop) -> None:
    (shop.folder / "gpt2forge.yaml").write_text("store:\n  max_size: 0.1MB\n")
    shop.run("build", "nano-cpu-int8", "--rerun", "convert", "--until", "convert")
    assert list_steps(shop) == {"convert", "export", "fuse", "quantize"}
    (shop.folder / "build/blocked").mkdir()
    shop.run("build", "nano-cpu-int8", "--set", "quantization.scheme=int4", "--name", "blocked", code=1)
    assert len(inspect(shop)) == 5
    assert ", because `store.max_size` is " in shop.run("build", "nano-cpu-int8", "--rerun", "convert").stderr


def test_store_that_is_not_there_is_not_made(shop: Workshop) -> None:
    for words in (["ls"], ["verify"], ["gc"]):
        done = shop.run("store", *words, "--store", "typo", code=1)
        assert done.stderr == "error: typo: there is no store; name one with `--store`\n"
    assert not (shop.folder / "typo").exists()


def test_what_a_build_has_made_anew_meanwhile_is_not_put_aside(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a build after verify has read the artifact and before it puts the artifact aside."""
    store = Store(shop.store)
    digest = next(item["digest"] for item in inspect(shop) if item["stage"] == "quantize")
    rot(store.artifacts.folder(digest) / "model.onnx_data", store.stat_cache)
    sound = LocalArtifacts.is_sound
    seen: list[str] = []

    def is_sound(self: LocalArtifacts, name: str) -> bool:
        found = sound(self, name)
        if not found and not seen:
            seen.append(name)
            (self.folder(name) / "model.onnx_data").touch()  # now a build sees it
            shop.run("build", "nano-cpu-int8")
        return found

    monkeypatch.setattr(LocalArtifacts, "is_sound", is_sound)
    monkeypatch.chdir(shop.folder)
    assert program.run(["store", "verify", "--repair"]) == 0
    monkeypatch.undo()
    assert seen == [digest]
    assert store.artifacts.is_sound(digest)


def test_output_in_doubt_is_kept_until_it_is_forgotten(shop: Workshop) -> None:
    output = shop.folder / "build/nano-cpu-int8"
    (shop.folder / "build").rename(shop.folder / "moved")
    done = shop.run("store", "gc", "--max-size", "0")
    assert list_steps(shop) == {"quantize"}
    line = (
        f"cache: keeps 1 artifact for `{output}`, which is not found: it may have moved, or be visible elsewhere only"
    )
    fix = f"if it is no longer used, run `gpt2forge store forget {output}`"
    assert done.stderr.splitlines()[0] == f"{line}; {fix}"
    assert str(shrink(shop, 0)).endswith("; 1 output not found: `gpt2forge store gc` says which")
    (doubt,) = json.loads(shop.run("store", "gc", "--json").stdout)["in_doubt"]
    assert doubt["output"] == str(output)
    missing = shop.run("store", "forget", "build/other", code=1)
    assert missing.stderr == "error: cache: knows no missing output `build/other`; `gpt2forge store gc` lists them\n"
    assert shop.run("store", "forget", "*/nothing/*").stdout == "forgot 0 outputs\n"
    assert shop.run("store", "forget", "build/nano-cpu-int8").stdout == "forgot 1 output\n"
    shop.run("store", "gc", "--max-size", "0")
    assert inspect(shop) == []


def test_note_that_cannot_be_read_keeps_everything_and_is_no_error(shop: Workshop) -> None:
    (path,) = (shop.store / "roots").glob("*.json")
    path.write_text("{}")
    done = shop.run("store", "gc", "--max-size", "0")
    assert len(inspect(shop)) == 4
    where = path.relative_to(shop.folder)
    what = "cannot be read, so no artifact is removed; build its output again, or run"
    assert done.stderr.splitlines()[0] == f"cache: {where}: {what} `gpt2forge store forget {where}`"
    assert shrink(shop, 0) is not None
    assert len(inspect(shop)) == 4
    assert shop.run("store", "forget", str(where)).stdout == "forgot 1 output\n"


@pytest.mark.parametrize("size", ["much", "20XB", "-1GB", ""])
def test_what_is_no_size_is_one_line(shop: Workshop, size: str) -> None:
    done = shop.run("store", "gc", "--max-size", size, code=1)
    assert done.stderr == f"error: `--max-size {size}` must be a size, as in `20GB` or `500MB`\n"


def list_published(shop: Workshop) -> list[Path]:
    return sorted((shop.folder / "build").glob("*"))


def shrink(shop: Workshop, most: int | None, store: Path | None = None) -> str | None:
    settings = Settings(store=StoreSettings(max_size=most))
    return stores.shrink(Store(store or shop.store), list_published(shop), settings)


def test_shrinking_throws_away_what_is_cheapest_and_says_so(shop: Workshop) -> None:
    whole = measure_store(Store(shop.store))
    assert whole == sum(item["size"] for item in inspect(shop))
    assert shrink(shop, None) is None
    assert shrink(shop, whole) is None
    assert len(inspect(shop)) == 4
    assert shrink(shop, 6_000_000) == f"{shop.store}: removed 5.6 MB in 1 artifact, because `store.max_size` is 6.0 MB"
    assert list_steps(shop) == {"export", "fuse", "quantize"}
    assert " kB in 2 artifacts, because `store.max_size` is 0 B" in str(shrink(shop, 0))
    assert list_steps(shop) == {"quantize"}
    left = f"{format_size(measure_store(Store(shop.store)))} is left, above 0 B: published results are kept"
    assert str(shrink(shop, 0)).startswith(f"{shop.store}: {left}")
    for words in (("--max-size", "0"), ("--max-size", "0", "--dry-run")):
        assert shop.run("store", "gc", *words).stderr.startswith(f"cache: {left}")
    shop.run("generate", "nano-cpu-int8", "-p", "def", "-n", "2")


def test_shrinking_leaves_a_store_alone_that_a_build_uses(shop: Workshop) -> None:
    with Store(shop.store).hold():
        assert shrink(shop, 0) is None
    assert len(inspect(shop)) == 4


def test_shrinking_keeps_what_outputs_elsewhere_lead_to(shop: Workshop, tmp_path: Path) -> None:
    other = make_workshop(tmp_path / "other")
    other.run("build", "nano-cpu-int4", "--store", str(shop.store))
    assert shrink(shop, 0)
    assert {recipe for item in inspect(shop) for recipe in item["recipes"]} == {"nano-cpu-int4", "nano-cpu-int8"}
    other.run("generate", "nano-cpu-int4", "-p", "def", "-n", "2")


def inspect_steps(shop: Workshop) -> list[Path]:
    return [path for path in (shop.store / "artifacts").iterdir() if path.is_dir()]


def test_settings_are_the_limit_where_no_size_is_given(shop: Workshop) -> None:
    (shop.folder / "gpt2forge.yaml").write_text("store:\n  max_size: 6MB\n")
    listed = shop.run("store", "ls").stdout.splitlines()[-1]
    assert listed.endswith(f" in 4 artifacts, {measure_store(Store(shop.store)) / 6e6:.1%} of `store.max_size` 6.0 MB")
    assert json.loads(shop.run("store", "ls", "--json").stdout)["max_size"] == 6_000_000
    assert shop.run("store", "gc", "--max-size", "1GB", "--dry-run").stdout.startswith(
        "would remove 0 B in 0 artifacts and 0 "
    )
    assert shop.run("store", "gc").stdout.splitlines()[-1] == "removed 5.6 MB in 1 artifact and 1 leftover"
    assert list_steps(shop) == {"export", "fuse", "quantize"}


def test_damaged_settings_are_one_line(shop: Workshop) -> None:
    (shop.folder / "gpt2forge.yaml").write_text("store:\n  max_size: much\n")
    for words in (["ls"], ["gc"]):
        done = shop.run("store", *words, code=1)
        assert done.stderr == (
            "error: gpt2forge.yaml:2:3: `store.max_size: much` must be a size, as in `20GB` or `500MB`\n"
        )


def age(path: Path) -> None:
    os.utime(path, (time.time() - OLD - 60,) * 2)


def test_logs_go_with_their_artifacts_and_those_of_failed_steps_when_they_are_old(shop: Workshop) -> None:
    logs = shop.store / "logs"
    new, old = f"fuse-{'1' * 16}", f"fuse-{'2' * 16}"
    for name in (new, old):
        (logs / f"{name}.log").write_text("it failed")
    for path in logs.iterdir():
        if path.name != f"{new}.log":
            age(path)
    shop.run("store", "gc", "--max-size", "6MB")
    assert sorted(path.name.partition("-")[0] for path in logs.iterdir()) == ["export", "fuse", "fuse", "quantize"]
    assert (logs / f"{new}.log").exists()
    record = next(record for record in list_records(Store(shop.store)) if record.stage == "export")
    put_aside(Store(shop.store).artifacts.folder(record.digest), shop.store / "damaged")
    shop.run("store", "gc")
    assert sorted(path.name.partition("-")[0] for path in logs.iterdir()) == ["fuse", "fuse", "quantize"]


def test_old_notes_go_unless_they_are_of_what_lies_in_the_store(shop: Workshop) -> None:
    stat_cache = shop.store / "stat_cache"
    files = [path for folder in inspect_steps(shop) for path in folder.iterdir()]
    before = set(stat_cache.glob("*/*"))
    shop.run("store", "gc")
    assert set(stat_cache.glob("*/*")) >= before
    for path in stat_cache.glob("*/*"):
        age(path)
    shop.run("store", "gc")
    left = set(stat_cache.glob("*/*"))
    assert left == {Store(shop.store).stat_cache.place_of(path) for path in files}
    assert {step["outcome"] for step in shop.report("nano-cpu-int8")["steps"]} == {"reused", "skipped"}


def make_item(
    name: str, size: int, seconds: float | None, recipes: tuple[str, ...] = (), published: bool = False
) -> Item:
    return Item(
        digest=name,
        stage=None if seconds is None else "fuse",
        size=size,
        seconds=seconds,
        made=None,
        used=None,
        recipes=recipes,
        published=published,
    )


def test_what_is_cheap_for_its_size_goes_first_and_no_more_than_must() -> None:
    items = [
        make_item("slow and small", 10, 100.0),
        make_item("slow and large", 1000, 100.0),
        make_item("quick and large", 1000, 1.0),
        make_item("useless", 5, None),
        make_item("published", 1000, 0.0, published=True),
        make_item("of a recipe", 1000, 0.5, recipes=("x",)),
    ]
    for most, keep, gone in (
        (None, False, []),
        (4015, False, []),
        (4010, False, ["useless"]),
        (4009, False, ["useless", "of a recipe"]),
        (2000, True, ["useless", "quick and large", "slow and large", "slow and small"]),
        (0, False, ["useless", "of a recipe", "quick and large", "slow and large", "slow and small"]),
    ):
        assert [item.digest for item in choose(items, most, keep)] == gone
