"""A matrix of twelve variants of nano, and builds of it as a user types them."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import BLOCKS, HEAD
from tests.workshop import ROOT

VARIANTS = {
    **{
        f"{scheme}-{block}": f"{{scheme: {scheme}, granularity: {block}}}"
        for scheme in ("int8", "int4")
        for block in BLOCKS
    },
    "float32": "{scheme: none}",
    "positions": "{scheme: int8, positions: float32}",
}
SHARED, OWN = ("convert", "export", "fuse"), ("quantize",)


@dataclass(frozen=True)
class Matrix:
    """A folder with the recipe, in which builds run."""

    folder: Path

    def start(self, *words: str, store: str = "cache") -> subprocess.Popen[str]:
        """Start a build of all variants."""
        command = [sys.executable, "-m", "gpt2forge", "build", "matrix", "--json", "--store", store, *words]
        pipe, variables = subprocess.PIPE, {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, cwd=self.folder, env=variables, stdout=pipe, stderr=pipe, text=True)

    def build(self, *words: str, store: str = "cache") -> list[dict[str, Any]]:
        """Build all variants and return the events."""
        return finish(self.start(*words, store=store))

    def list_files(self, store: str) -> dict[str, str]:
        """Return the manifests of all artifacts by their digests."""
        found = (self.folder / store / "artifacts").glob("*.json")
        return {path.stem: path.read_text() for path in found if path.with_suffix("").is_dir()}


def finish(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Wait for a build that must succeed; return its events."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return [json.loads(line) for line in output.splitlines()]


def make_matrix(folder: Path) -> Matrix:
    (folder / "recipes").mkdir(parents=True)
    shutil.copytree(ROOT / "examples/nano", folder / "examples/nano")
    lines = "".join(f"  {name}: {{quantization: {value}}}\n" for name, value in VARIANTS.items())
    (folder / "recipes/matrix.yaml").write_text(HEAD + lines, encoding="utf-8")
    return Matrix(folder)


def count_steps(events: list[dict[str, Any]], kind: str) -> Counter[str]:
    """Count the events of a kind by stage; of ends, those of steps that were built."""
    found = [each for each in events if each["event"] == kind]
    return Counter(each["stage"] for each in found if kind != "step_finished" or each["outcome"] == "built")


EACH_ONCE = Counter({**dict.fromkeys(SHARED, 1), **dict.fromkeys(OWN, len(VARIANTS))})
