"""Several builds at once that share a store: every step runs once in all of them."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Note
from tests.faults.state import State, list_debris, list_steps, read_tree
from tests.workshop import ROOT, UNMEASURED, Workshop, make_workshop

pytestmark = pytest.mark.slow

OTHER = ("--set", "quantization.granularity=64", "--name", "x")


def test_toy_builds_at_once_make_every_step_once(tmp_path: Path, rounds: Callable[[int], int], note: Note) -> None:
    program = (
        "import json, sys; from pathlib import Path; from tests.faults.forge import run_build; "
        "sys.exit(run_build(Path(sys.argv[1]), times=int(sys.argv[2])))"
    )
    most = 8 if rounds(1) > 1 else 4
    for number in range(count := rounds(1)):
        store = tmp_path / f"store-{number}"
        store.mkdir()
        folders = [tmp_path / f"{number}-{each}" for each in range(most)]
        for folder in folders:
            folder.mkdir()
            (folder / "cache").symlink_to(store)
        builds = [
            subprocess.Popen([sys.executable, "-c", program, str(folder), str(2 + each % 2)], cwd=ROOT)
            for each, folder in enumerate(folders)
        ]
        assert [build.wait() for build in builds] == [0] * most
        results = [json.loads((folder / "result").read_text()) for folder in folders]
        keys = {key for found in results for _, key, _ in found.values()}
        built = Counter(key for found in results for outcome, key, _ in found.values() if outcome == "built")
        assert built == dict.fromkeys(keys, 1)
        assert len(keys) == 5  # one of gather, two each of repeat and pack
        assert list_debris(store) == []
    note(
        f"{'eight' if most == 8 else 'four'} simultaneous builds of toy stages in one store, of two jobs that share a step",
        count,
        "all succeeded; each step was made once",
    )


def test_real_builds_at_once_make_every_step_once(
    tmp_path: Path, undisturbed: State, rounds: Callable[[int], int], note: Note
) -> None:
    counts = [2] if rounds(1) == 1 else [2, 8]
    for count in counts:
        for same in (False, True):
            shops = [make_workshop(tmp_path / f"{count}-{same}-{each}") for each in range(1 if same else count)]
            shops *= count if same else 1
            recipes = 1 if same and count == 2 else 2
            reports = build_at_once(shops, recipes, tmp_path / f"store-{count}-{same}")
            for shop, report in zip(shops[::recipes], reports[::recipes], strict=True):
                assert list_steps(report) == undisturbed.steps
                assert read_tree(shop.folder / "build/nano-cpu-int8") == undisturbed.files
    note(
        "simultaneous builds of two recipes that share steps, in one store, in one working directory and in several",
        2 * sum(counts),
        "all succeeded; each step was made once",
    )


def build_at_once(shops: Sequence[Workshop], recipes: int, store: Path) -> list[dict[str, Any]]:
    """Start a build in each workshop, of one recipe or of two in turns; check that no key was made twice."""
    start = [sys.executable, "-m", "gpt2forge", "build", "nano-cpu-int8", "--json", "--store", str(store), *UNMEASURED]
    builds = [
        subprocess.Popen(
            [*start, *(OTHER if each % recipes else ())],
            cwd=shop.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each, shop in enumerate(shops)
    ]
    outputs = [build.communicate() for build in builds]
    assert [build.returncode for build in builds] == [0] * len(builds), outputs
    events = [json.loads(line) for out, _ in outputs for line in out.splitlines()]
    done = [event for event in events if event["event"] == "step_finished" and event["outcome"] in ("built", "reused")]
    built = Counter(event["key"] for event in done if event["outcome"] == "built")
    assert built == dict.fromkeys({event["key"] for event in done}, 1)
    return [json.loads(out.splitlines()[-1])["report"] for out, _ in outputs]
