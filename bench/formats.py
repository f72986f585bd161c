"""Converts a checkpoint of each size from its formats, and measures the memory that it takes.

`bench.conversion` is the process that is measured. The first checkpoint is TensorFlow's, made from a
seed; what is converted of it is a Hugging Face directory, of which the others are written. One of these is there at a
time.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.commands import run_command
from bench.plan import SHIPPED, Plan
from bench.quiet import report
from bench.write_formats import BIN, WRITERS
from gpt2forge.checkpoint.model_folder import WEIGHTS
from gpt2forge.store.atomic import remove_tree

FIRST = "TensorFlow 1"
USUAL = (BIN,)  # formats beside the first two that every size is measured from; the shipped one is from all


def measure_formats(plans: dict[str, Plan]) -> dict[str, Any]:
    """Return the peak anonymous memory (bytes) of each size's conversion from its formats."""
    sizes = {model: plan for model, plan in plans.items() if not plan.is_trained}
    return {model: measure_size(plan, WRITERS if model == SHIPPED else USUAL) for model, plan in sizes.items()}


def measure_size(plan: Plan, names: Iterable[str]) -> dict[str, Any]:
    """Measure one size. Folders are removed as soon as nothing needs them, but not the first checkpoint."""
    scratch = plan.work / "formats" / plan.model
    if scratch.exists():
        remove_tree(scratch)
    scratch.mkdir(parents=True)
    source, written = scratch / "source", scratch / "written"
    found = {FIRST: measure_conversion(plan, FIRST, plan.checkpoint, source)}
    found[WEIGHTS] = measure_conversion(plan, WEIGHTS, source, scratch / "out")
    for name in names:
        remove_tree(scratch / "out")
        written.mkdir()
        report(f"writing {plan.model} as {name}")
        WRITERS[name](source, written, plan.shape)
        found[name] = measure_conversion(plan, name, written, scratch / "out")
        remove_tree(written)
    remove_tree(scratch)
    return found


def measure_conversion(plan: Plan, name: str, source: Path, out: Path) -> dict[str, int]:
    """Convert a checkpoint into the new folder `out`; return the size of its weights, and the peak memory (bytes)."""
    report(f"{plan.model} from {name}")
    out.mkdir()
    done = run_command([sys.executable, "-m", "bench.conversion", str(source), str(out)], plan.work, is_watched=True)
    return {"float32_bytes": plan.float32_bytes, "peak_memory_bytes": done.peak}
