"""Measures what a simulated team's recipes cost in storage, requests, transfer and planning.

Times are those of the processor: a plan has one thread, and other programs on the machine hardly change them.

`python -m bench.team_costs --write-docs` writes docs/benchmarks/scaling.json and the tables of docs/scaling.md.
"""

import argparse
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

from bench.commands import run_command, take_turns
from bench.host import describe_host
from bench.plan import WORK
from bench.scale import FORGE, list_records
from bench.team import Filled, Team, build_templates, fill_team, prepare_team
from bench.team_page import NO_OP, PAGE, PLAN, RESULTS, fill_page
from gpt2forge.builder.pull_needed import Range, make_plans
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.recipe.load import load_recipes
from gpt2forge.remote.layered_records import LayeredRecords
from gpt2forge.stages.stage import Advance
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store

SELECTORS = {1: "c000-r0@int8-32", 10: "c000-r0", 100: "c000-*", 1000: "c00?-*", 10000: "c*"}
"""Selectors by the number of variants that they select of a whole team."""

FRESH = (1, 10, 100, 1000)
"""The numbers of variants that a machine with an empty store asks for."""

ROUNDS = 3
UNMEASURED_ROUNDS = {PLAN: 1, NO_OP: 2}  # the first build leaves new files, which are checked once more
BUILT = 1000
"""Variants that are published at most."""


class FreshStore(Store):
    """The empty store of a machine, and behind it a level that has all steps of a team.

    It counts what a level would be asked for: `asked` are the keys of records, `pulled` the records of artifacts. What
    is pulled is a stand-in.
    """

    has_remote = True

    def __init__(self, root: Path, level: Filled) -> None:
        super().__init__(root)
        self.level = level
        self.records = LayeredRecords(self.records, self.artifacts, self.ask)
        self.asked: set[str] = set()
        self.pulled: list[Record] = []

    def ask(self, stage: str, key: str) -> Record | None:
        self.asked.add(key)
        return self.level.made.get(key)

    def can_restore(self, stage: str, key: str) -> bool:
        record = self.records.find(stage, key)
        return record is not None and not self.artifacts.is_whole(record.digest)

    def restore(self, stage: str, key: str, advance: Advance) -> Record | None:
        record = self.level.made[key]
        there, here = (store.artifacts.folder(record.digest) for store in (self.level.store, self))
        shutil.copytree(there, here)
        shutil.copyfile(there.with_suffix(".json"), here.with_suffix(".json"))
        here.with_suffix(".evicted").unlink(missing_ok=True)
        self.pulled.append(record)
        return record


def measure_team(team: Team, work: Path, templates: Store | None = None) -> dict[str, Any]:
    """Return what the recipes of a team cost; `templates` is a store with a measured build of nano."""
    prepare_team(team, work)
    templates = templates or build_templates(work)
    if (work / "cache").exists():
        remove_tree(work / "cache")
    filled = fill_team(work, templates, work / "cache")
    files = {
        record.stage: len(templates.artifacts.read_manifest(record.digest).files) for record in list_records(templates)
    }
    variants = team.checkpoints * team.recipes * team.variants
    sizes = [count for count in SELECTORS if count <= variants]
    return {
        "team": {**vars(team), "all_variants": variants},
        "kept": measure_kept(filled, files),
        "fresh": {
            str(count): measure_fresh(work, filled, SELECTORS[count], files) for count in sizes if count in FRESH
        },
        "commands": measure_commands(work, sizes),
    }


def measure_kept(filled: Filled, files: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return how many artifacts each stage makes, their files and bytes, and the bytes of their records."""
    found: dict[str, dict[str, int]] = {}
    for record in filled.made.values():
        kept = found.setdefault(record.stage, {"artifacts": 0, "files": 0, "bytes": 0, "record_bytes": 0})
        kept["artifacts"] += 1
        kept["files"] += files[record.stage]
        kept["bytes"] += record.bytes_written or 0
        kept["record_bytes"] += len(record.to_bytes())
    return found


def measure_fresh(work: Path, filled: Filled, selector: str, files: Mapping[str, int]) -> dict[str, float]:
    """Return what a machine with an empty store asks for and pulls to publish what is selected, without a network."""
    root = work / "fresh"
    if root.exists():
        remove_tree(root)
    store = FreshStore(root, filled)
    began = time.process_time()
    with chdir(work):
        make_plans(make_jobs(load_recipes([selector])), store, emit=lambda event: None, within=Range())
    return {
        "seconds": time.process_time() - began,
        "records": len(store.asked),
        "files": sum(files[record.stage] for record in store.pulled),
        "bytes": sum(record.bytes_written or 0 for record in store.pulled),
    }


def measure_commands(work: Path, counts: Iterable[int]) -> dict[str, Any]:
    """Return seconds of commands over so many variants, in a store that has all steps of the team."""
    found: dict[str, dict[str, Any]] = {PLAN: {}, NO_OP: {}}
    for count in counts:
        for what, verb, most in ((PLAN, "plan", count), (NO_OP, "build", BUILT)):
            if count <= most:
                command = (*FORGE, verb, SELECTORS[count])
                found[what][str(count)] = measure_command(command, work, UNMEASURED_ROUNDS[what])
    return found


def measure_command(command: tuple[str, ...], work: Path, unmeasured: int) -> dict[str, float]:
    """Return the spread of the seconds of a command that was run `unmeasured` times before."""
    for _ in range(unmeasured):
        run_command(command, work)
    return take_turns({"": lambda: time_command(command, work)}, ROUNDS)[""]


def time_command(command: tuple[str, ...], work: Path) -> float:
    """Return the processor's seconds of a command and of its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_command(command, work)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.team_costs", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK / "team", help="folder to work in (default %(default)s)")
    parser.add_argument("--checkpoints", type=int, default=Team().checkpoints, help="as many (default %(default)s)")
    parser.add_argument("--write-docs", action="store_true", help="put what was measured into docs/scaling.md")
    options = parser.parse_args()
    found = measure_team(Team(options.checkpoints), options.work.resolve())
    host = {name: value for name, value in describe_host().items() if name != "versions"}  # of other systems
    results = {"host": host, "date": time.strftime("%Y-%m-%d"), **found}
    text = json.dumps(results, indent=1) + "\n"
    if options.write_docs:
        RESULTS.write_text(text, encoding="utf-8")
        PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
