"""A reader sees one result: its link is followed once, gc waits for it, and what is copied is what was built."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt2forge.builder.result import follow, hold_result, open_result
from gpt2forge.cli import copy_command
from gpt2forge.cli.copy_command import copy_result
from gpt2forge.errors import UserError
from gpt2forge.store.gc import collect
from gpt2forge.store.locks import StoreBusy
from gpt2forge.store.store import Store
from tests.store.outputs import publish_package

Copy = Callable[..., object]


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Publish a package as build/x in a new working directory."""
    monkeypatch.chdir(tmp_path)
    publish_package(Store(Path("cache")), Path("build/x"), "old")
    return Path("build/x")


def publish_during_copy(monkeypatch: pytest.MonkeyPatch, do: Callable[[Path], object]) -> None:
    """Call a function with each source before it is copied, which stands for a slow disk."""

    def copyfile(source: Path, target: Path) -> None:
        do(source)
        shutil.copy(source, target)

    monkeypatch.setattr(copy_command, "shutil", type("Slow", (), {"copyfile": staticmethod(copyfile)}))


def test_copy_is_of_the_result_that_was_published_when_it_began(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(Path("cache"))

    def publish(source: Path) -> None:
        publish_package(store, output, "new")
        with pytest.raises(StoreBusy):
            collect(store, [], limit=0)

    publish_during_copy(monkeypatch, publish)
    with hold_result(output) as result:
        copied = copy_result(result, Path("ship"))
    assert copied.digest == result.folder.name
    assert Path("ship/model.onnx").read_text() == "old"
    assert (output / "model.onnx").read_text() == "new"
    assert len(collect(store, [], limit=0).evicted) == 1


def change(source: Path) -> None:
    source.chmod(0o644)
    source.write_text("odd")


def remove(source: Path) -> None:
    source.parent.chmod(0o755)
    source.unlink()


def add(source: Path) -> None:
    source.parent.chmod(0o755)
    (source.parent / "more").write_text("x")


@pytest.mark.parametrize("damage", [change, remove, add], ids=lambda damage: damage.__name__)
def test_artifact_that_is_damaged_before_it_is_copied_is_an_error(output: Path, damage: Callable[[Path], None]) -> None:
    damage(output.resolve() / "model.onnx")
    with pytest.raises(UserError) as error, hold_result(output) as result:
        copy_result(result, Path("ship"))
    assert str(error.value) == "build/x: its files were changed or lost; build `x` again to fix them"
    assert sorted(path.name for path in Path().iterdir()) == ["build", "cache"]
    with pytest.raises(UserError, match="build/x: its files were changed or lost"), hold_result(output) as result:
        result.check()


@pytest.mark.parametrize("damage", [change, remove], ids=lambda damage: damage.__name__)
def test_artifact_that_is_damaged_while_it_is_copied_is_an_error(
    output: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    publish_during_copy(monkeypatch, damage)
    with pytest.raises(UserError, match="build/x: its files were changed or lost"), hold_result(output) as result:
        copy_result(result, Path("ship"))
    assert sorted(path.name for path in Path().iterdir()) == ["build", "cache"]


def test_artifact_without_its_manifest_is_checked_by_its_name(output: Path) -> None:
    output.resolve().with_suffix(".json").unlink()
    with open_result("x") as result:
        assert copy_result(result, Path("ship")).digest == result.folder.name


def test_directory_that_changes_while_it_is_copied_is_an_error(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_result(output) as result:
        copy_result(result, Path("ship"))
    publish_during_copy(monkeypatch, add)
    changed = "ship: changed while it was copied; copy it again"
    with pytest.raises(UserError, match=changed), hold_result(Path("ship")) as result:
        copy_result(result, Path("again"))
    assert not Path("again").exists()


def test_folders_in_a_package_are_copied(output: Path) -> None:
    Path("ship/more").mkdir(parents=True)
    Path("ship/more/a").write_text("x")
    with hold_result(Path("ship")) as result:
        assert list(copy_result(result, Path("again")).files) == ["more/a"]
    assert Path("again/more/a").read_text() == "x"


def test_every_link_of_a_path_is_followed_once(output: Path) -> None:
    Path("releases/1").mkdir(parents=True)
    Path("current").symlink_to("releases/1")
    assert follow(Path("current")).folder == Path("releases/1").resolve()
    assert follow(Path("releases/1")).folder == Path("releases/1")
    Path("loop").symlink_to("loop")
    assert not follow(Path("loop")).is_artifact


def test_reader_of_a_store_that_cannot_be_written_reads_it(output: Path) -> None:
    Path("cache/held").unlink()
    with open_result("x") as result:
        assert (result.folder / "model.onnx").read_text() == "old"
    assert not Path("cache/held").exists()


def test_file_of_terabytes_in_an_artifact_is_not_read(output: Path, tmp_path: Path) -> None:
    """Its size, which is not the manifest's, shows that it is damaged."""
    place = output / "model.onnx"
    remove(place.resolve())
    with place.open("wb") as file:
        file.truncate(1 << 40)
    assert not Store(tmp_path / "cache").artifacts.is_sound(output.resolve().name)
    with hold_result(output) as result:
        for read in (result.check, lambda: result.check_file("model.onnx"), lambda: copy_result(result, Path("ship"))):
            with pytest.raises(UserError, match="files were changed or lost"):
                read()
