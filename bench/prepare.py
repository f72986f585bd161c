"""Makes what the measurements start from: the synthetic checkpoint, and the small example where builds find it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench.plan import RECIPES, Plan
from bench.tokenizer_files import fetch_tokenizer

EXAMPLES = RECIPES.parent / "examples"


def prepare_checkpoint(plan: Plan) -> None:
    """Write the checkpoint unless an earlier run did; TensorFlow works in a process of its own."""
    if plan.checkpoint.is_dir():
        return
    tokenizer = fetch_tokenizer(plan.work / "tokenizer")
    shape = json.dumps(asdict(plan.shape))
    command = [
        sys.executable,
        "-m",
        "bench.checkpoint",
        str(plan.checkpoint),
        "--tokenizer",
        str(tokenizer),
        "--shape",
        shape,
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, check=True, cwd=RECIPES.parent, env=environment, stderr=subprocess.DEVNULL)


def link_folders(work: Path, *folders: Path) -> None:
    """Put links to these into `work`: recipes name checkpoints and texts from the working directory."""
    work.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        link = work / folder.name
        if link.is_symlink() and link.readlink() != folder:  # of a checkout that lay elsewhere
            link.unlink()
        if folder.exists() and not link.is_symlink():
            link.symlink_to(folder, target_is_directory=True)
