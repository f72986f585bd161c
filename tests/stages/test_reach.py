"""What a stage imports is what its key covers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.plan.code import find_reach
from gpt2forge.plan.key import find_modules
from gpt2forge.recipe import STAGES, load_recipe
from gpt2forge.stage import Stage
from gpt2forge.store.memo import Memo
from tests.workshop import ROOT, Workshop

EVENTS = 9
NANO = ROOT / "examples/nano"
SOURCES = {"checkpoint": NANO, "text": NANO / "heldout.txt", "calibration_text": NANO / "calibration.txt"}

# Runs the worker as the executor does, and says afterwards which modules of ours it has imported.
PROGRAM = f"""
import json, os, sys
os.dup2(os.open(os.devnull, os.O_WRONLY), {EVENTS})
from gpt2forge import worker
worker.main()
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] == "gpt2forge")))
"""


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_everything_a_stage_imports_is_in_its_key_and_nothing_else(
    stage: Stage, workshop: Workshop, tmp_path: Path
) -> None:
    recipe = load_recipe(str(ROOT / "recipes/nano-cpu-int4-gptq.yaml"), ["calibration.tokens=2048"], "reach").recipe
    folders = dict(SOURCES)
    for made, step in zip(
        STAGES, workshop.prove("nano-cpu-int4-gptq", "--set", "calibration.tokens=2048")["steps"], strict=True
    ):
        if made is stage:
            break
        folders[made.writes] = workshop.store / "artifacts" / step["digest"]
    (tmp_path / "out").mkdir()
    section = getattr(recipe, stage.section) if stage.section else None
    order = {
        "name": stage.name,
        "module": stage.module,
        "section": section.model_dump() if section else {},
        "target": recipe.target.model_dump(),
        "inputs": {
            kind: {"path": str(folders[kind]), "digest": "0", "made": kind not in SOURCES}
            for kind in stage.settle(section).reads
        },
        "out": str(tmp_path / "out"),
        "events": EVENTS,
    }
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()  # and not closed: the worker ends when its parent does
        imported = set(json.loads(process.stdout.read()))
    assert imported == set(find_reach(find_modules(stage), Memo(tmp_path / "memo")))
