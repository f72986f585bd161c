"""Converts a checkpoint of each size from each of the usual formats, and measures the memory that it takes.

`python -m bench.formats FOLDER OUT` is the process that is measured. The first checkpoint is TensorFlow's, made from a
seed; what is converted of it is a Hugging Face directory, and from that PyTorch writes the third.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.commands import run_command
from bench.plan import Plan
from bench.quiet import report
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.model_folder import WEIGHTS
from gpt2forge.store.atomic import remove_tree


def write_bin(source: Path, folder: Path) -> Path:
    """Write the weights of a Hugging Face directory as pytorch_model.bin, with the other files beside it."""
    import torch  # not in the measured process, which needs it for one of the formats only
    from safetensors.torch import load_file

    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(WEIGHTS))
    torch.save(load_file(source / WEIGHTS), folder / "pytorch_model.bin")  # mapped, not in memory
    return folder


def measure_formats(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Return the peak anonymous memory (bytes) of each size's conversion from each format."""
    return {model: measure_size(plan) for model, plan in plans.items() if not plan.is_trained}


def measure_size(plan: Plan) -> dict[str, Any]:
    """Measure one size. Folders are removed as soon as nothing needs them, but not the first checkpoint."""
    scratch = plan.work / "formats" / plan.model
    if scratch.exists():
        remove_tree(scratch)
    scratch.mkdir(parents=True)
    makers: dict[str, Callable[[], Path]] = {
        "TensorFlow 1": lambda: plan.checkpoint,
        "model.safetensors": lambda: scratch / "TensorFlow 1",
        "pytorch_model.bin": lambda: write_bin(scratch / "TensorFlow 1", scratch / "written"),
    }
    found = {}
    for name, make in makers.items():
        report(f"{plan.model} from {name}")
        source, out = make(), scratch / name
        out.mkdir()
        done = run_command([sys.executable, "-m", __name__, str(source), str(out)], plan.work, is_watched=True)
        found[name] = {"float32_bytes": plan.float32_bytes, "peak_memory_bytes": done.peak}
        if source != plan.checkpoint:
            remove_tree(out)
    remove_tree(scratch)
    return found


def main() -> None:
    source, out = map(Path, sys.argv[1:])
    convert_checkpoint(source, out)


if __name__ == "__main__":
    main()
