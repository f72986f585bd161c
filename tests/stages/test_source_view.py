"""What a stage reads while the paths of its sources are swapped: always the files that the digest was made of."""

import os
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from gpt2forge.errors import UserError
from gpt2forge.plan.source import Source
from gpt2forge.stages import source_view
from gpt2forge.stages.source_view import SourceView, open_sources
from gpt2forge.store.stat_cache import StatCache
from tests.swaps import exchange, relink

Swap = Callable[[Path], None]


def swap_link(place: Path) -> None:
    relink(place / "latest", "real", "other")


def swap_folder(place: Path) -> None:
    exchange(place / "real", place / "other")


def swap_file(place: Path) -> None:
    exchange(place / "real/a", place / "other/a")


SWAPS = (swap_link, swap_folder, swap_file)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two sources, and the link `latest` to the first."""
    for name in ("real", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(f"a of {name}")
        (tmp_path / name / "unread").write_text("not in the digest")
    (tmp_path / "latest").symlink_to("real")
    time.sleep(0.05)  # over a tick of the clock of files
    return tmp_path


def list_only_a(folder: Path) -> tuple[str, ...]:
    return ("a",)


def describe(place: Path, source: Source) -> dict[str, Any]:
    """Return the part of a worker's request that describes a source."""
    stats = source.read(StatCache(place / "stat_cache"), lambda done, total, unit: None).stats
    names = {path: "" if source.find is None else path.name for path in stats}
    files = {names[path]: list(astuple(stat)) for path, stat in stats.items()}
    return {"path": str(source.path), "digest": "0", "made": False, "files": files}


def open_latest(place: Path) -> SourceView:
    return open_sources({"checkpoint": describe(place, Source(place / "latest", list_only_a))}, place / "view")


def read(view: SourceView) -> str:
    return (view.paths["checkpoint"] / "a").read_text()


@pytest.mark.skipif(not source_view.DESCRIPTORS.is_dir(), reason="open files have no names here")
@pytest.mark.parametrize("swap", SWAPS)
def test_stage_reads_the_digested_file_while_its_path_leads_elsewhere(place: Path, swap: Swap) -> None:
    view = open_latest(place)
    swap(place)
    assert (place / "latest/a").read_text() == "a of other"
    assert read(view) == "a of real"


@pytest.mark.parametrize("swap", SWAPS)
def test_swap_between_the_digest_and_the_stage_is_one_line(place: Path, swap: Swap) -> None:
    described = describe(place, Source(place / "latest", list_only_a))
    swap(place)
    with pytest.raises(UserError) as error:
        open_sources({"checkpoint": described}, place / "view")
    fix = "changed while it was being read; build again when nothing writes to it"
    assert str(error.value) == f"{place}/latest: {fix}"


@pytest.mark.parametrize("swap", SWAPS)
def test_swap_that_is_undone_is_noticed_where_open_files_have_no_names(
    place: Path, swap: Swap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_view, "DESCRIPTORS", place / "no /proc")
    view = open_latest(place)
    assert view.paths == view.named
    view.check()
    swap(place)
    swap(place)
    assert read(view) == "a of real"
    with pytest.raises(UserError, match="changed while it was being read"):
        view.check()


def test_write_that_is_undone_is_noticed(place: Path) -> None:
    view = open_latest(place)
    view.check()
    before = (place / "real/a").stat()
    for text in ("A OF REAL", "a of real"):
        (place / "real/a").write_text(text)
    os.utime(place / "real/a", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="changed while it was being read"):
        view.check()


def test_stage_sees_no_file_that_the_digest_does_not_cover(place: Path) -> None:
    assert sorted(path.name for path in open_latest(place).paths["checkpoint"].iterdir()) == ["a"]


def test_source_that_is_one_file_keeps_its_name(place: Path) -> None:
    view = open_sources({"text": describe(place, Source(place / "real/a"))}, place / "view")
    assert (view.paths["text"].name, view.paths["text"].read_text()) == ("a", "a of real")


def test_message_names_the_path_that_the_user_knows(place: Path) -> None:
    view = open_latest(place)
    assert view.restore_names(f"{view.paths['checkpoint']}/a: damaged") == f"{place}/latest/a: damaged"


def test_fifo_in_the_place_of_a_file_does_not_wait(place: Path) -> None:
    described = describe(place, Source(place / "latest", list_only_a))
    (place / "real/a").unlink()
    os.mkfifo(place / "real/a")
    with pytest.raises(UserError, match="changed while it was being read"):
        open_sources({"checkpoint": described}, place / "view")


def test_digest_of_a_path_that_is_swapped_meanwhile_is_of_one_file(place: Path) -> None:
    """Swap the path while it is read, and back: the digest and the stat are of the file that was read."""
    stat_cache, swaps = StatCache(place / "stat_cache"), iter((swap_folder,))
    content = stat_cache.read(place / "latest/a", lambda count: next(swaps, lambda place: None)(place))
    assert content.stat.inode == (place / "other/a").stat().st_ino
    assert content.digest == StatCache(place / "fresh").digest(place / "other/a")
