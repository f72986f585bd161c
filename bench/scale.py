"""Measures commands by the number of recipes, variants and artifacts, beside what no program could do without."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

from bench.commands import ROOT, run_command, take_turns
from bench.idle import Idle
from gpt2forge.digest import canonical_json, digest_bytes, digest_value
from gpt2forge.store.manifest import File, Manifest
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store

ROUNDS = 3
UNMEASURED_ROUNDS = 2  # the first run leaves new files, which are checked once more
RECIPES, ARTIFACTS = (1, 10, 100, 1000), (4, 200, 2000, 20000)
BUILT, VARIANTS = 100, 256  # recipes that are built at most, and variants of one recipe
IMPORT, WALK = "importing the commands", "stat of every file"
FLOORS = {
    IMPORT: ("-c", "from gpt2forge.cli.program import load_command; load_command('plan')"),
    WALK: ("-c", "import os; [os.stat(f'{at}/{name}') for at, _, names in os.walk('artifacts') for name in names]"),
}
RECIPE = """\
name: {name}
extends: base/cpu.yaml
source: {{checkpoint: examples/nano}}
quantization: {{scheme: int8}}
verify: null
benchmark: null
"""
VARIANT = "  v{number}: {{verify: {{text: examples/nano/heldout.txt, tokens: 1{number:03}}}}}\n"
EDIT = ("--set", "quantization.granularity=32", "--name", "edited")
FORGE = (sys.executable, "-m", "gpt2forge")

Acts = dict[tuple[str, int], Idle]
"""Commands by what they do and how much of it."""


def measure_scale(
    work: Path, recipes: Sequence[int] = RECIPES, artifacts: Sequence[int] = ARTIFACTS
) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure milliseconds of each command by each number, in turns, in the form in which peers are measured."""
    prepare_recipes(work, max(recipes))
    return {"recipes": turn(list_recipe_acts(work, recipes)), "artifacts": turn(list_store_acts(work, artifacts))}


def turn(acts: Acts) -> dict[str, dict[str, Any]]:
    """Run each command unmeasured, then in turns; return spreads of milliseconds by what it does, then by number."""
    for act in acts.values():
        for _ in range(UNMEASURED_ROUNDS):
            act.run()
    spreads = take_turns({f"{what}:{count}": act.run for (what, count), act in acts.items()}, ROUNDS)
    found: dict[str, Any] = {}
    for name, spread in spreads.items():
        what, _, count = name.partition(":")
        found.setdefault(what, {"ms": {}})["ms"][count] = spread
    return {"systems": found}


def list_recipe_acts(work: Path, counts: Sequence[int]) -> Acts:
    """Return the commands over recipes, which work on `n1-*` for one of them, `n10-*` for ten, and so on."""
    acts: Acts = {("ours, plan of variants", VARIANTS): Idle((*FORGE, "plan", "many"), work)}
    for count in counts:
        acts["ours, plan", count] = Idle((*FORGE, "plan", f"n{count}-*"), work)
        acts[IMPORT, count] = Idle((sys.executable, *FLOORS[IMPORT]), work)
        if count <= BUILT:
            acts["ours, build with nothing to do", count] = Idle((*FORGE, "build", f"n{count}-*"), work)
    return acts


def list_store_acts(work: Path, counts: Sequence[int]) -> Acts:
    """Return the commands over stores of so many artifacts, which are filled first."""
    acts: Acts = {}
    for count in counts:
        store = work / f"store-{count}"
        fill_store(work / "cache", store, count)
        words = ("--store", store.name)
        acts["ours, plan of an edit", count] = Idle((*FORGE, "plan", "n1-0", *EDIT, *words), work)
        acts["ours, store ls", count] = Idle((*FORGE, "store", "ls", *words), work)
        acts["ours, store gc --dry-run", count] = Idle((*FORGE, "store", "gc", "--dry-run", *words), work)
        acts[WALK, count] = Idle((sys.executable, *FLOORS[WALK]), store)
    return acts


def prepare_recipes(work: Path, count: int) -> None:
    """Make recipes in a folder like a clone, once: `n10-0` to `n10-9` and so on, and `many` with its variants."""
    if (work / "recipes").exists():
        return
    copytree(ROOT / "recipes/base", work / "recipes/base")
    copytree(ROOT / "examples/nano", work / "examples/nano")
    for names in (power for power in RECIPES if power <= count):
        for number in range(names):
            name = f"n{names}-{number}"
            (work / f"recipes/{name}.yaml").write_text(RECIPE.format(name=name), encoding="utf-8")
    variants = "".join(VARIANT.format(number=number) for number in range(VARIANTS))
    (work / "recipes/many.yaml").write_text(f"{RECIPE.format(name='many')}matrix:\n{variants}", encoding="utf-8")
    run_command((*FORGE, "build", "n1-*"), work)


def fill_store(source: Path, target: Path, count: int) -> None:
    """Make a store of `count` artifacts, once: each record of another store again and again, with other values."""
    if target.exists():
        return
    records = list(list_records(Store(source)))
    store = Store(target)
    for number in range(count):
        write_step(store, records[number % len(records)], number)
    for stage in {record.stage for record in records}:
        store.records.index(stage)


def list_records(store: Store) -> Iterator[Record]:
    """List all records of a store."""
    for folder in sorted((store.root / "records").iterdir()):
        yield from store.records.list(folder.name)


def write_step(store: Store, record: Record, number: int) -> None:
    """Write an artifact and a record like another one, with another value in its section."""
    pre_image = {**record.pre_image, "section": {**record.pre_image["section"], "number": number}}
    write_stand_in(store, replace(record, key=digest_value(pre_image), pre_image=pre_image), number)


def write_stand_in(store: Store, record: Record, number: int) -> Record:
    """Write a record and an artifact of one small file, which its number decides; return the record with its digest.

    No write waits for the disk, as the store's own do.
    """
    data = f"{number}\n".encode()
    manifest = Manifest({"forge.json": File(digest_bytes(data), len(data))})
    folder = store.artifacts.folder(manifest.digest)
    folder.mkdir(parents=True)
    (folder / "forge.json").write_bytes(data)
    folder.with_suffix(".json").write_bytes(canonical_json(manifest.to_json()))
    made = replace(record, digest=manifest.digest)
    path = store.root / "records" / record.stage / f"{made.key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.to_bytes())
    return made
