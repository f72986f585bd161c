"""A store in the lower layer of an overlayfs, as in a container whose image was built with `RUN gpt2forge build`."""

from pathlib import Path

import pytest

from gpt2forge.store.gc import collect
from gpt2forge.store.store import Store
from tests.faults.conftest import Note
from tests.faults.disks import mount, small_disk
from tests.faults.forge import Forge
from tests.faults.state import list_debris, read_tree
from tests.store.outputs import is_served, publish_package

pytestmark = pytest.mark.slow


def test_store_in_a_lower_layer(tmp_path: Path, forge: Forge, note: Note) -> None:
    lower = tmp_path / "lower"
    lower.mkdir()
    expected = [made[1:] for made in forge.build(lower).values()]
    files = read_tree(lower / "build/toy")
    with small_disk(tmp_path / "disk", "size=100m") as disk:
        for name in ("upper", "work"):
            (disk / name).mkdir()
        layers = f"lowerdir={lower},upperdir={disk}/upper,workdir={disk}/work"
        with mount(tmp_path / "container", "-t", "overlay", "overlay", "-o", layers) as folder:
            found = forge.build(folder)
            assert {made[0] for made in found.values()} == {"reused"}
            for stage, (_, _, digest) in found.items():
                victim = next((folder / "cache/artifacts" / digest).iterdir())
                victim.chmod(0o644)
                victim.write_bytes(b"damaged")
                again = forge.build(folder, collects=True)
                assert again[stage][0] == "built"
                assert [made[1:] for made in again.values()] == expected
            store = Store(folder / "cache")
            evicted = collect(store, [], limit=0).evicted
            assert len(evicted) == len(found) - 1  # all but the published one
            assert all(store.artifacts.is_evicted(item.digest) for item in evicted)
            forge.build(folder)
            assert read_tree(folder / "build/toy") == files
            assert [name for name in list_debris(folder / "cache") if not name.endswith(".evicted")] == []
    note(
        "a store in a lower layer of an overlayfs: reused, each artifact damaged and made again, then all evicted",
        len(found) + 2,
        "the same bytes",
    )


def test_artifacts_on_another_file_system_than_the_rest_of_the_store(tmp_path: Path, forge: Forge, note: Note) -> None:
    with small_disk(tmp_path / "cache/artifacts", "size=100m"):
        made = forge.build(tmp_path, collects=True)
        victim = next((tmp_path / "build/toy").resolve().iterdir())
        victim.chmod(0o644)
        victim.write_bytes(b"damaged")
        again = forge.build(tmp_path, collects=True)
        assert [each[1:] for each in again.values()] == [each[1:] for each in made.values()]
        assert list_debris(tmp_path / "cache") == []
    note("`artifacts` of a store is a mount of its own, as a volume in a container", 2, "the same bytes")


def test_containers_of_one_image_that_holds_an_output(tmp_path: Path, note: Note) -> None:
    """The folder `build` of the image, and its token, are in the lower layer of all containers."""
    store, names = Store(tmp_path / "store"), ("one", "two")
    with small_disk(tmp_path / "disk", "size=100m") as disk:  # one file system for all layers, as containers have it
        image = disk / "image"
        publish_package(store, image / "build/x", "image")
        for name in names:
            for kind in ("upper", "work"):
                (disk / name / kind).mkdir(parents=True)
        for name in (*names, *names):
            layers = f"lowerdir={image},upperdir={disk}/{name}/upper,workdir={disk}/{name}/work"
            with mount(image, "-t", "overlay", "overlay", "-o", layers):
                publish_package(store, image / "build/x", name)
                assert collect(store, [], limit=0).evicted == []
                assert is_served(image / "build/x")
        assert is_served(image / "build/x")
    note("`store gc` in two containers of one image that holds an output, at one path", 4, "all outputs work")
