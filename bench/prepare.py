"""Makes what the measurements start from: the synthetic checkpoint, and the small example where builds find it."""

import json
from dataclasses import asdict
from pathlib import Path

from bench.plan import RECIPES, Plan
from bench.shapes import Shape
from bench.tokenizer_files import fetch_tokenizer
from interop.tensorflow_process import Command, run_modules

EXAMPLES = RECIPES.parent / "examples"


def prepare_checkpoint(plan: Plan) -> None:
    """Write the checkpoint unless an earlier run did; TensorFlow works in a process of its own.

    Raises EnvironmentFault or TensorFlowFault.
    """
    if not plan.checkpoint.is_dir():
        run_modules(name_command(plan.checkpoint, plan.shape, fetch_tokenizer(plan.work / "tokenizer")))


def name_command(out: Path, shape: Shape, tokenizer: Path) -> Command:
    """Name the module that writes the checkpoint `out` in TensorFlow's process, and its arguments."""
    files = (str(out.absolute()), "--tokenizer", str(tokenizer.absolute()))
    return ("bench.checkpoint", *files, "--shape", json.dumps(asdict(shape)))


def link_folders(work: Path, *folders: Path) -> None:
    """Put links to these into `work`: recipes name checkpoints and texts from the working directory."""
    work.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        link = work / folder.name
        if link.is_symlink() and link.readlink() != folder:  # of a checkout that lay elsewhere
            link.unlink()
        if folder.exists() and not link.is_symlink():
            link.symlink_to(folder, target_is_directory=True)
