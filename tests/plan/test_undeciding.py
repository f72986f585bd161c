"""Edits that change no key, and edits that do, made in a copy of the package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workshop import ROOT

Digests = dict[str, dict[str, str]]

PROGRAM = """\
import json, sys
from pathlib import Path
from gpt2forge.plan.code import digest_code
from gpt2forge.plan.key import find_modules
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.stat_cache import StatCache
stat_cache = StatCache(Path(sys.argv[1]))
print(json.dumps({stage.name: digest_code(find_modules(stage), stat_cache) for stage in STAGES}))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "gpt2forge", tmp_path / "gpt2forge", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "gpt2forge"


def read_digests(package: Path) -> Digests:
    command = [sys.executable, "-c", PROGRAM, str(package.parent / "stat_cache")]
    done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True)
    digests: Digests = json.loads(done.stdout)
    return digests


def edit(package: Path, name: str, old: str, new: str) -> None:
    path = package / name
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{name} has no {old!r} any more"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def change(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda package: edit(package, name, old, new)


HARMLESS = {
    "error message": change("runtime/text.py", "is missing; copy the directory again", "is not there; copy it again"),
    "progress throttle": change("stages/throttle.py", "1 / self.per_second", "2 / self.per_second"),
    "sampling option": change(
        "runtime/sampling.py", "temperature: float", "min_p: float = 0.0\n    temperature: float"
    ),
    "console text": change("cli/console.py", "error:", "fault:"),
    "docstring": change("quantize/blocks.py", '"""', '"""A better sentence. '),
    "comment": change("quantize/blocks.py", "\nimport ", "\n# a remark\nimport "),
    "wording of sizes": change("units.py", '"kB"', '"KB"'),
    "report of a failure": change("stages/failure.py", "cannot import what it needs", "lacks a library"),
}


@pytest.mark.parametrize("edit_it", HARMLESS.values(), ids=HARMLESS.keys())
def test_edit_that_changes_no_result_changes_no_key(package: Path, edit_it: Callable[[Path], None]) -> None:
    before = read_digests(package)
    edit_it(package)
    assert read_digests(package) == before


EVERY = {"convert", "export", "fuse", "calibrate", "quantize", "reference", "verify", "benchmark"}


@pytest.mark.parametrize(
    ("name", "old", "new", "stages"),
    [
        ("graph/mask.py", '"mask.visible", 0.0', '"mask.visible", 1.0', {"export", "fuse"}),
        ("stages/fuse.py", "annotate_shapes(model)\n", "annotate_shapes(model)\n    print()\n", {"fuse"}),
        ("measure/divergence.py", "np.int64", "np.int32", {"verify"}),
        ("stages/worker.py", "os._exit(1)", "os._exit(2)", EVERY),
    ],
)
def test_edit_that_can_change_a_result_changes_the_keys_of_the_stages_that_reach_it(
    package: Path, name: str, old: str, new: str, stages: set[str]
) -> None:
    before = read_digests(package)
    edit(package, name, old, new)
    after = read_digests(package)
    assert {stage for stage in before if before[stage] != after[stage]} == stages
