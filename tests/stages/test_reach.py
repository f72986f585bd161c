"""The imports of a stage, which its key must cover."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.plan.code import UNDECIDING, find_reach
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.key import find_modules
from gpt2forge.recipe.load import load_recipe
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.stages.stage import Stage
from gpt2forge.store.stat_cache import StatCache
from tests.workshop import FITTED, LITTLE, ROOT, Workshop

pytestmark = pytest.mark.slow

EVENTS = 9
NANO = ROOT / "examples/nano"
SOURCES = {"checkpoint": NANO, "text": NANO / "heldout.txt", "calibration_text": NANO / "calibration.txt"}

DRAFTED = "generation={speculative: {draft: nano-cpu-int8}}"
"""A section that lets its stage do all that it can."""

ELSEWHERE = {"benchmark": ("gpt2forge.measure.bandwidth", "gpt2forge.pytorch.oracle")}
"""What a stage imports in processes of its own, beside their programs."""

# Runs the worker as the executor does, and says afterwards which modules of ours it has imported, and of scipy: none.
PROGRAM = f"""
import importlib, json, os, sys
os.dup2(os.open(os.devnull, os.O_WRONLY), {EVENTS})
from gpt2forge.stages import worker
worker.main()
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] in ("gpt2forge", "scipy"))))
"""


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_everything_a_stage_imports_is_in_its_key_and_nothing_else(
    stage: Stage, fitted_once: Workshop, tmp_path: Path
) -> None:
    changes = [FITTED[-1], *LITTLE[1::2], DRAFTED]
    loaded = load_recipe(str(ROOT / f"recipes/{FITTED[0]}.yaml"), changes, "reach")
    recipe = loaded.recipe
    report = json.loads((fitted_once.folder / f"build/{FITTED[0]}-proven.json").read_text(encoding="utf-8"))
    folders = dict(SOURCES)
    for made, step in zip(STAGES, report["steps"], strict=False):  # the last stage, configure, was not asked for
        if made is stage:
            break
        if step["digest"]:  # it was not skipped
            folders[made.writes] = fitted_once.store / "artifacts" / step["digest"]
    folders["draft"] = folders.get("package", NANO)
    (tmp_path / "out").mkdir()
    section = getattr(recipe, stage.section) if stage.section else None
    order = {
        "name": stage.name,
        "module": stage.module,
        "section": make_job(loaded).section_values(stage),
        "target": recipe.target.model_dump(),
        "inputs": {
            kind: {"path": str(folders[kind]), "digest": "0", "made": kind not in SOURCES}
            for kind in stage.for_section(section).reads
        },
        "out": str(tmp_path / "out"),
        "view": str(tmp_path / "view"),
        "events": EVENTS,
    }
    command = [sys.executable, "-c", PROGRAM, *ELSEWHERE.get(stage.name, ())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()  # and not closed: the worker ends when its parent does
        imported = set(json.loads(process.stdout.read()))
    assert imported - UNDECIDING == set(find_reach(find_modules(stage), StatCache(tmp_path / "stat_cache")))
