"""Packages run in the oldest onnxruntime that docs/deploy.md states for them, and not in the floor before it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.quantize.floors import ATTENTION, BIAS, BLOCKS, CACHE, OLDEST, TABLES, show_version
from interop.checks import check_alone, check_batch
from interop.conftest import CACHED, IN_BLOCKS, NANO
from interop.environments import HERE, make_python
from interop.hosts import ask
from interop.prompts import NEW, PROMPTS
from interop.reference import continue_prompts
from tests.workshop import Workshop

FLOORS = (OLDEST, BLOCKS[4], BIAS, BLOCKS[8], ATTENTION, CACHE)
PLAIN = ("fusion.attention=false", "quantization.embeddings=none")
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"{name}-floor": (name, ()) for name in NANO},
    "standard": ("nano-cpu-fp32", ("fusion.attention=false",)),
    "int4": ("nano-cpu-int4", (*PLAIN, "fusion.bias=false")),
    "int4-bias": ("nano-cpu-int4", PLAIN),
    "int8": ("nano-cpu-int8", PLAIN),
    "int8-tables": ("nano-cpu-int8", ("fusion.attention=false",)),
    "int8-cache": ("nano-cpu-int8", CACHED),
    "few-rows": ("nano-cpu-int8", (*PLAIN, *IN_BLOCKS)),
}
"""The recipe of a package, and what is changed in it, by the name of the package."""
EXPECTED = {
    "standard": OLDEST,
    "int4": BLOCKS[4],
    "int4-bias": BIAS,
    "int8": BLOCKS[8],
    "int8-tables": TABLES,
    "int8-cache": CACHE,
    "few-rows": BLOCKS[8],
}
LAST_PYTHON = {OLDEST: 11, BLOCKS[4]: 12, BIAS: 12, BLOCKS[8]: 13, ATTENTION: 13}
"""The newest Python, 3.x, that an old onnxruntime has a wheel for; the others have one for every Python of CI."""


def make_floor(version: tuple[int, int]) -> Path:
    """Return the interpreter of the environment with this version; skip the test if this Python has no wheel of it."""
    name, last = f"onnxruntime-{show_version(version)}", LAST_PYTHON.get(version, 99)
    if sys.version_info.minor > last:
        pytest.skip(f"{name} has no wheel for Python 3.{sys.version_info.minor}")
    return make_python(name, HERE / "floors")


@pytest.mark.parametrize("name", CASES)
def test_package_runs_in_the_oldest_version_that_it_names(workshop: Workshop, name: str) -> None:
    recipe, changes = CASES[name]
    words = (word for change in changes for word in ("--set", change))
    workshop.run("build", recipe, "--name", name, *words)
    folder = workshop.folder / "build" / name
    named = json.loads((folder / "forge.json").read_text())["oldest_onnxruntime"]
    floor = EXPECTED.get(name, ATTENTION)
    assert named == show_version(floor)
    script = str(HERE / "plain/generate.py")
    (answer,) = ask((str(make_floor(floor)), script), [folder], PROMPTS, NEW)
    expected = continue_prompts(folder, PROMPTS, NEW)
    check_alone(answer, expected)
    check_batch(answer, expected)
    if floor != OLDEST:
        before = make_floor(max(version for version in FLOORS if version < floor))
        load = f"import onnxruntime; onnxruntime.InferenceSession({str(folder / 'model.onnx')!r})"
        done = subprocess.run([before, "-c", load], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "onnxruntime.capi" in done.stderr
