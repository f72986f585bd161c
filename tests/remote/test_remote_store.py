"""Builds with a folder behind the store: what is pulled, what is pushed, and what neither asks nor changes anything."""

import json
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpt2forge.builder.pull_needed import Range
from gpt2forge.digest import digest_file
from gpt2forge.fetch.part import name_part
from gpt2forge.remote.remote_store import RemoteStore
from tests.remote.conftest import Built
from tests.remote.team import Machine, copy_level, summarize
from tests.toy.job import make_job

ALL_REUSED = [("gather", "reused", False), ("repeat", "reused", False), ("pack", "reused", True)]
ALL_BUILT = [("gather", "built", False), ("repeat", "built", False), ("pack", "built", False)]


def list_level(level: Path) -> dict[str, str]:
    """Return the digest of each file of a level by its path."""
    return {str(path.relative_to(level)): digest_file(path) for path in level.rglob("*") if path.is_file()}


def find_blob(level: Path, built: Built, stage: str, name: str) -> Path:
    """Return the file of a level that holds a file of a step's artifact."""
    manifest = json.loads((built.store / f"artifacts/{built.find(stage).digest}.json").read_text())
    return level / "cas" / manifest[name]["sha256"]


def test_what_was_built_is_pushed(built_toy: Built) -> None:
    assert summarize(built_toy.outcomes) == ALL_BUILT
    assert {path.name for path in (built_toy.level / "ac").iterdir()} == {each.key for each in built_toy.outcomes}
    assert all(digest_file(path) == path.name for path in (built_toy.level / "cas").iterdir())
    assert not list((built_toy.level / "tmp").iterdir())


def test_another_machine_pulls_the_package_and_nothing_behind_it(built_toy: Built, machine: Machine) -> None:
    assert summarize(machine.build(built_toy.job)) == ALL_REUSED
    package = built_toy.find("pack").digest
    assert machine.list_artifacts() == {package}
    name = f"artifacts/{package}/model.onnx"
    assert (machine.root / name).read_bytes() == (built_toy.store / name).read_bytes()
    assert not list((machine.root / "making").iterdir())
    assert machine.warnings == []


def test_nothing_is_asked_when_everything_is_there(built_toy: Built, machine: Machine, level: Path) -> None:
    machine.build(built_toy.job)
    shutil.rmtree(level)
    assert [each.outcome for each in machine.build(built_toy.job)] == ["reused"] * 3
    assert machine.warnings == []


def test_a_step_that_runs_pulls_its_inputs_only(built_toy: Built, machine: Machine, tmp_path: Path) -> None:
    job = make_job(tmp_path / "source", times=2, upper=True)
    assert summarize(machine.build(job)) == [
        ("gather", "reused", False),
        ("repeat", "reused", True),
        ("pack", "built", False),
    ]
    assert built_toy.find("gather").digest not in machine.list_artifacts()
    assert built_toy.find("repeat").digest in machine.list_artifacts()


def test_until_pulls_the_last_step_and_nothing_that_comes_later(built_toy: Built, machine: Machine) -> None:
    assert summarize(machine.build(built_toy.job, Range(until="repeat"))) == [
        ("gather", "reused", False),
        ("repeat", "reused", True),
    ]
    assert machine.list_artifacts() == {built_toy.find("repeat").digest}


def test_rerun_runs_a_step_that_a_level_has(built_toy: Built, machine: Machine) -> None:
    outcomes = machine.build(built_toy.job, Range(rerun="pack"))
    assert summarize(outcomes) == [("gather", "reused", False), ("repeat", "reused", True), ("pack", "built", False)]


def test_a_step_whose_input_is_made_here_first_is_pulled_when_its_key_is_known(
    built_toy: Built, machine: Machine, level: Path
) -> None:
    (level / "ac" / str(built_toy.find("gather").key)).unlink()
    assert summarize(machine.build(built_toy.job)) == [
        ("gather", "built", False),
        ("repeat", "reused", True),
        ("pack", "reused", True),
    ]


@pytest.mark.parametrize("harm", ["gone", "cut", "flipped", "longer", "empty", "folder", "unreadable link"])
def test_an_entry_whose_blob_is_gone_or_damaged_is_a_miss_and_is_repaired(
    built_toy: Built, machine: Machine, level: Path, harm: str
) -> None:
    blob, before = find_blob(level, built_toy, "pack", "forge.json"), list_level(level)
    damage(blob, harm)
    assert summarize(machine.build(built_toy.job)) == [
        ("gather", "reused", False),
        ("repeat", "reused", True),
        ("pack", "built", False),
    ]
    assert list_level(level) == before or harm == "folder"
    assert len(machine.warnings) == (harm == "folder")


def damage(blob: Path, harm: str) -> None:
    data = blob.read_bytes()
    blob.unlink()
    if harm == "folder":
        blob.mkdir()
    elif harm == "unreadable link":
        blob.symlink_to("nowhere")
    elif harm != "gone":
        changed = {"cut": data[:-1], "flipped": bytes([data[0] ^ 1]) + data[1:], "longer": data + b"x", "empty": b""}
        blob.write_bytes(changed[harm])


def test_an_artifact_that_is_damaged_here_is_pulled(built_toy: Built, machine: Machine) -> None:
    machine.build(built_toy.job)
    file = machine.root / f"artifacts/{built_toy.find('pack').digest}/model.onnx"
    file.chmod(0o644)
    file.write_text("damaged")
    assert summarize(machine.build(built_toy.job)) == ALL_REUSED
    assert file.read_text() != "damaged"


def test_an_artifact_that_was_evicted_here_is_pulled(built_toy: Built, machine: Machine) -> None:
    machine.build(built_toy.job)
    machine.open().artifacts.evict(str(built_toy.find("pack").digest))
    assert summarize(machine.build(built_toy.job)) == ALL_REUSED


def test_an_interrupted_pull_goes_on_from_what_it_has(built_toy: Built, machine: Machine, level: Path) -> None:
    pack = built_toy.find("pack")
    data = find_blob(level, built_toy, "pack", "model.onnx").read_bytes()
    folder = machine.root / "making" / str(pack.key)
    folder.mkdir(parents=True)
    name_part(folder / "model.onnx").write_bytes(data[:-2])
    (folder / "other").symlink_to("/etc/passwd")
    (folder / "another").mkdir()
    (folder / "another/one").write_text("left")
    assert summarize(machine.build(built_toy.job)) == ALL_REUSED
    (files,) = [sorted(path.name for path in (machine.root / "artifacts" / str(pack.digest)).iterdir())]
    assert files == ["forge.json", "model.onnx"] or files == ["model.onnx"]


def test_levels_are_asked_in_order_and_filled_on_the_way_back(built_toy: Built, level: Path, tmp_path: Path) -> None:
    near = tmp_path / "near"
    near.mkdir()
    machine = Machine(tmp_path / "store", [str(near), str(level)], secret=None)
    outcomes = machine.build(built_toy.job)
    assert outcomes[-1].reason == f"pulled from {level}"
    assert {path.name for path in (near / "ac").iterdir()} == {str(built_toy.find("pack").key)}
    third = Machine(tmp_path / "third", [str(near)], secret=None).open()
    assert third.records.find("pack", str(built_toy.find("pack").key))


def test_nothing_is_written_to_a_read_only_level(built_toy: Built, tmp_path: Path) -> None:
    level = tmp_path / "level"
    level.mkdir()
    machine = Machine(tmp_path / "store", [f"read-only:{level}"])
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    assert list(level.iterdir()) == []
    assert machine.warnings == []


def test_without_a_key_nothing_is_pushed(built_toy: Built, tmp_path: Path) -> None:
    level = tmp_path / "level"
    level.mkdir()
    machine = Machine(tmp_path / "store", [str(level)], secret=None)
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    assert list(level.iterdir()) == []


def test_what_was_built_offline_is_pushed_later(built_toy: Built, tmp_path: Path) -> None:
    level = tmp_path / "level"
    machine = Machine(tmp_path / "store", [str(level)])
    shutil.copytree(built_toy.store, machine.root)
    machine.build(built_toy.job)
    assert [str(level) in warning for warning in machine.warnings] == [True]
    level.mkdir()
    machine.build(built_toy.job)
    assert list_level(level) == list_level(built_toy.level)


def test_a_missing_folder_costs_one_warning_and_no_time(built_toy: Built, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "store", [str(tmp_path / "unmounted")], secret=None)
    began = time.monotonic()
    store = machine.open()
    assert [store.find("pack", str(each.key)) for each in built_toy.outcomes] == [None] * 3
    assert time.monotonic() - began < 1
    (warning,) = machine.warnings
    assert str(tmp_path / "unmounted") in warning
    assert "there is no such folder" in warning


def test_a_store_is_no_level(built_toy: Built, tmp_path: Path) -> None:
    before = list_level(built_toy.store)
    machine = Machine(tmp_path / "store", [str(built_toy.store)], secret=None)
    assert machine.open().records.find("pack", str(built_toy.find("pack").key)) is None
    assert machine.warnings == [
        f"{built_toy.store}: is a store, and a remote is a folder of its own; going on without this remote"
    ]
    assert list_level(built_toy.store) == before


@pytest.mark.parametrize("library", ["cryptography", "httpx2", "obstore"])
def test_a_library_that_is_missing_is_one_warning(
    built_toy: Built, tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = [name for name in sys.modules if name.partition(".")[0] == library]
    for name in (library, *modules, "gpt2forge.remote.http_level", "gpt2forge.remote.object_level"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    address = "s3://bucket/team" if library == "obstore" else "http://127.0.0.1:9/team"
    machine = Machine(tmp_path / "store", [address])
    assert machine.open().records.find("pack", str(built_toy.find("pack").key)) is None
    (warning,) = machine.warnings
    assert "pip install 'gpt2forge[remote]'" in warning


def test_a_level_that_has_another_result_of_a_key_keeps_it(
    built_toy: Built, machine: Machine, level: Path, tmp_path: Path
) -> None:
    """A step whose result differs from run to run: whoever pulled the first goes on from it."""
    other = Machine(tmp_path / "other", [str(level)])
    store, before = other.open(), list_level(level)
    pack = built_toy.find("pack")
    record = machine.open().records.find("pack", str(pack.key))
    assert record
    folder = store.make_workspace(record.key)
    (folder / "model.onnx").write_text("another result")
    digest = store.artifacts.commit(folder)
    store.records.write(type(record)(**{**vars(record), "digest": digest}))
    (pushed,) = store.push([("pack", record.key)])
    assert (pushed.steps, pushed.size) == (1, 0)
    assert list_level(level) == before


def test_a_level_that_lost_the_other_result_gets_this_one(built_toy: Built, level: Path, tmp_path: Path) -> None:
    find_blob(level, built_toy, "pack", "forge.json").unlink()
    test_store = Machine(tmp_path / "other", [str(level)]).open()
    record = test_store.records.find("pack", str(built_toy.find("pack").key))
    assert record
    folder = test_store.make_workspace(record.key)
    (folder / "model.onnx").write_text("another result")
    digest = test_store.artifacts.commit(folder)
    test_store.records.write(type(record)(**{**vars(record), "digest": digest}))
    test_store.push([("pack", record.key)])
    third = Machine(tmp_path / "third", [str(level)]).open()
    found = third.records.find("pack", record.key)
    assert found
    assert found.digest == digest


def test_a_query_asks_no_level(built_toy: Built, machine: Machine) -> None:
    """`plan` and the like open a plain store; this one, without a build, has not opened its levels."""
    store = machine.open()
    assert store.artifacts.measure(str(built_toy.find("pack").digest)) == 0
    assert "remote" not in vars(store)
    assert isinstance(store, RemoteStore)


def test_concurrent_pushes_of_one_key_leave_a_whole_level(built_toy: Built, tmp_path: Path) -> None:
    level = tmp_path / "level"
    level.mkdir()
    machines = [Machine(tmp_path / f"store{number}", [str(level)]) for number in range(4)]
    for machine in machines:
        copy_level(built_toy.store, machine.root)
    steps = [(each.stage, str(each.key)) for each in built_toy.outcomes]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda machine: machine.open().push(steps), machines))
    assert [machine.warnings for machine in machines] == [[]] * 4
    assert list_level(level) == list_level(built_toy.level)
