"""Damaged files in a store: noticed and made again, never used."""

import itertools
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.forge import Forge
from tests.faults.harm import HURTS, LOSSES, copy_fresh, hurt, hurt_folder
from tests.faults.state import State, list_debris, list_steps, read_tree, take_state
from tests.workshop import Workshop, make_workshop

pytestmark = pytest.mark.slow


def find_victims(store: Path, steps: Mapping[str, tuple[str, str]]) -> dict[str, list[Path]]:
    """List the files of a store by kind: artifact files, manifests, records and the entries of the stat cache."""
    artifacts = store / "artifacts"
    victims = {"manifest": sorted(artifacts.glob("*.json")), "record": sorted(store.glob("records/*/*"))}
    for stage, (_, digest) in steps.items():
        for path in sorted((artifacts / digest).rglob("*")):
            victims[f"{path.name} of {stage}"] = [path]
    return victims | {"stat cache": sorted(store.glob("stat_cache/*/*"))}


def test_whatever_is_hurt_in_a_store_of_toys_is_made_anew(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    expected = {stage: made[1:] for stage, made in forge.build(tmp_path).items()}
    files = read_tree(tmp_path / "build/toy")
    tried = 0
    for _ in range(max(1, rounds(1) // 10)):
        kinds = find_victims(tmp_path / "cache", {stage: (key, digest) for stage, (key, digest) in expected.items()})
        for kind, how in itertools.product(kinds, HURTS):
            found = find_victims(
                tmp_path / "cache", {stage: (key, digest) for stage, (key, digest) in expected.items()}
            )
            for path in found[kind]:
                if not path.is_dir():
                    hurt(path, how, draw)
            message = f"{kind}: {how.__name__}"
            made = forge.build(tmp_path, collects=True)
            assert {stage: each[1:] for stage, each in made.items()} == expected, message
            assert read_tree(tmp_path / "build/toy") == files, message
            tried += 1
    note(
        "each kind of file in a store of toy stages: cut off, deleted, replaced, one bit flipped, emptied, turned into a folder or a link",
        tried,
        "each next build made the same keys and bytes",
    )


def test_whatever_is_hurt_in_a_real_store_is_made_anew(
    built: Workshop, undisturbed: State, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    shop = built
    for _ in range(count := rounds(2)):
        kind, paths = draw.choice(sorted(find_victims(shop.store, undisturbed.steps).items()))
        path, how = draw.choice([path for path in paths if not path.is_dir()]), draw.choice(HURTS)
        message = f"{kind} {path.relative_to(shop.folder)}: {how.__name__}"
        hurt(path, how, draw)
        report = shop.report("nano-cpu-int8")
        stages = [step["stage"] for step in report["steps"] if step["outcome"] == "built"]
        assert stages == [kind.rpartition(" ")[2]] if " of " in kind else len(stages) < 2, message
        assert State(list_steps(report), read_tree(shop.folder / "build/nano-cpu-int8")) == undisturbed, message
        shop.run("store", "gc")
        assert "0 damaged" in shop.run("store", "verify").stdout, message
    note(
        "a graph, weights, JSON, a manifest, a record or a stat cache entry of a real store, damaged in one of the ways below",
        count,
        "only its step was made again; the published files are the same bytes",
    )


def test_artifact_that_is_gone_or_something_else_is_made_anew(
    tmp_path: Path, forge: Forge, rounds: Callable[[int], int], draw: random.Random, note: Note
) -> None:
    expected = {stage: made[1:] for stage, made in forge.build(tmp_path).items()}
    for number in range(count := rounds(len(LOSSES))):
        _, digest = expected[draw.choice(sorted(expected))]
        hurt_folder(tmp_path / "cache/artifacts" / digest, LOSSES[number % len(LOSSES)], draw)
        made = forge.build(tmp_path, collects=True)
        assert {stage: each[1:] for stage, each in made.items()} == expected
        assert not (tmp_path / "cache/artifacts" / digest).is_symlink()
    note("an artifact's folder removed, or replaced by a file or a link", count, "made again; the same bytes")


def test_restored_cache_is_a_hit(tmp_path: Path, built: Workshop, undisturbed: State, note: Note) -> None:
    other = make_workshop(tmp_path / "other")
    copy_fresh(built.store, other.store)
    report = other.report("nano-cpu-int8")
    assert {step["outcome"] for step in report["steps"]} == {"reused", "skipped"}
    assert take_state(other, "nano-cpu-int8") == undisturbed
    assert list_debris(other.store) == []
    note("a store copied without its times, as from a CI cache", 1, "every step was reused")
