"""Edits that change no key, and edits that do, made in a copy of the package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
for line in sys.stdin:
    print(json.dumps({stage.name: digest_code(find_modules(stage), stat_cache) for stage in STAGES}), flush=True)
"""


@dataclass(frozen=True)
class Package:
    """A copy of the package, and a process that has imported it and reads its code for each line of its input."""

    folder: Path
    process: subprocess.Popen[str]

    def read_digests(self) -> Digests:
        assert self.process.stdin and self.process.stdout
        print(file=self.process.stdin, flush=True)
        digests: Digests = json.loads(self.process.stdout.readline())
        return digests

    def read_edited(self, name: str, old: str, new: str) -> Digests:
        """Return the digests while a file has other text."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r} any more"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        digests = self.read_digests()
        path.write_text(text, encoding="utf-8")
        return digests


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Package]:
    here = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT / "gpt2forge", here / "gpt2forge", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", PROGRAM, "stat_cache"]
    with subprocess.Popen(command, cwd=here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Package(here / "gpt2forge", process)


@pytest.fixture(scope="module")
def before(package: Package) -> Digests:
    return package.read_digests()


HARMLESS = {
    "error message": ("runtime/text.py", "is missing; copy the directory again", "is not there; copy it again"),
    "progress throttle": ("stages/throttle.py", "1 / self.per_second", "2 / self.per_second"),
    "sampling option": ("runtime/sampling.py", "temperature: float", "min_p: float = 0.0\n    temperature: float"),
    "console text": ("cli/console.py", "error:", "fault:"),
    "docstring": ("quantize/blocks.py", '"""', '"""A better sentence. '),
    "comment": ("quantize/blocks.py", "\nimport ", "\n# a remark\nimport "),
    "wording of sizes": ("units.py", '"kB"', '"KB"'),
    "report of a failure": ("stages/failure.py", "cannot import what it needs", "lacks a library"),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS.keys())
def test_edit_that_changes_no_result_changes_no_key(
    package: Package, before: Digests, edit: tuple[str, str, str]
) -> None:
    assert package.read_edited(*edit) == before


EVERY = {"convert", "export", "fuse", "calibrate", "quantize", "reference", "verify", "benchmark", "configure"}


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
    package: Package, before: Digests, name: str, old: str, new: str, stages: set[str]
) -> None:
    after = package.read_edited(name, old, new)
    assert {stage for stage in before if before[stage] != after[stage]} == stages
