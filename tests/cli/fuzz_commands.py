"""Runs command lines, with files in unexpected states and odd environments, each in a process of its own.

Every command must end within CPU seconds of processor time with one of CODES, print no traceback, and write nothing
that a terminal obeys. Only `generate` may write what the user or the model said. A round is determined by its seed and
its number: `--first 123 --inputs 1` repeats one.
"""

import argparse
import importlib
import json
import os
import pkgutil
import random
import re
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import gpt2forge
from gpt2forge.store.atomic import remove_tree
from tests.cli.command_lines import RECIPE, WRITING, draw_command
from tests.cli.file_states import changed
from tests.cli.forked import Ended, run_forked
from tests.workshop import ROOT, Workshop

CODES = {0, 1, 2, 130}
ENVIRONMENTS: list[dict[str, str]] = [
    *({}, {}, {}, {}),
    *({"TMPDIR": "/nowhere"}, {"HOME": "/nowhere"}, {"HOME": ""}, {"PATH": ""}, {"TERM": "\x1b[31m"}, {"COLUMNS": "0"}),
    *({"COLUMNS": "-5", "LINES": "x"}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}, {"OMP_NUM_THREADS": "none"}),
    *({"HF_ENDPOINT": "x", "HF_HOME": "/dev/null"}, {"HF_HUB_OFFLINE": "1"}, {"_GPT2FORGE_COMPLETE": "bash_source"}),
    *({"PYTHONPATH": "/dev/null"}, {"LC_ALL": "C"}, {"TZ": "\x1b"}, {"NO_COLOR": "1"}),
]
LIMITS = [
    None,
    None,
    None,
    None,
    (resource.RLIMIT_NOFILE, 12),
    (resource.RLIMIT_FSIZE, 65536),
    (resource.RLIMIT_FSIZE, 32768),
]
STREAMS = ["file", "file", "file", "file", "closed", "full", "gone"]
"""What stdout leads to: a file, nothing, a full disk, a pipe that nobody reads."""


def make_shop(folder: Path, built: Workshop | None = None) -> Workshop:
    """Make a folder with files of its own for everything that a command reads: nothing leads to the repository."""
    if built is not None:
        shutil.copytree(
            built.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("roots", "recipes", "examples")
        )
    for name in ("recipes", "examples/nano"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "recipes/plain.yaml").write_text(
        "name: plain\nextends: nano-cpu-int8.yaml\nverify: null\nbenchmark: null\n"
    )
    shop = Workshop(folder)
    shop.run("build", RECIPE, "--write-lock", measured=True)
    shop.run("copy", RECIPE, "pk")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    (folder / "gpt2forge.yaml").write_text("store:\n  max_size: 20GB\n")
    shop.run("build", RECIPE, measured=True)
    return shop


def list_targets(folder: Path) -> list[Path]:
    """List the files and folders whose state may be changed, each kind of place equally often."""
    groups = [
        [
            *folder.glob("recipes/plain.*"),
            folder / "recipes/nano-cpu-int8.yaml",
            folder / "recipes/base/cpu.yaml",
            folder / "gpt2forge.yaml",
        ],
        sorted(folder.glob("examples/nano/[!_]*")),
        [path for path in sorted(folder.glob("pk/*")) if path.name != "model.onnx.data"],
        sorted((folder / "build").iterdir()),
        [path for path in sorted((folder / "cache").rglob("*")) if "stat_cache" not in path.parts],
        sorted((folder / "cache/stat_cache").rglob("*"))[:50],
        [folder / name for name in ("recipes", "examples", "build", "cache", "examples/nano", "cache/artifacts")],
    ]
    most = max(len(group) for group in groups)
    return [path for group in groups for path in (group * most)[:most]]


def judge(words: Sequence[str], ended: Ended, stream: str = "file") -> str:
    """Return what is wrong with how a command ended; empty if nothing is."""
    if ended.code == -signal.SIGXCPU or ended.code == -signal.SIGKILL:
        return "did not end in time"
    if ended.code not in CODES:
        return f"exit code {ended.code}: {ended.stderr[-3000:]}{read_log(ended.stderr)}"
    if "Traceback" in ended.stderr:
        return f"traceback: {ended.stderr[-3000:]}"
    for text in (ended.stderr, "" if "generate" in words else ended.stdout):
        if any(not (each.isprintable() or each in "\n\t") for each in remove_colours(text)):
            return f"raw: {text[-1000:]!r}"
    if (
        ended.code == 1
        and stream != "gone"
        and not re.search(r"^error: \S", remove_colours(ended.stderr), re.MULTILINE)
    ):
        return f"no error: {ended.stderr[-1000:]!r} {ended.stdout[-1000:]!r}"
    return ""


def remove_colours(text: str) -> str:
    """Remove the colours and the lines of progress that rich draws where the environment asks for a terminal's."""
    return re.sub(r"\x1b\[[0-9;]*[mKA]|\x1b\[\?25[lh]|\r", "", text)


def read_log(message: str) -> str:
    """Read and remove the log that a message of a bug names."""
    found = re.search(r"`([^`]*\.log)`", message)
    path = Path(found[1]) if found else None
    if path is None or not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.name.startswith("gpt2forge-"):
        path.unlink()
    return f"\n{text[-3000:]}"


def fuzz(
    rounds: Sequence[int],
    seed: int,
    place: Path,
    built: Workshop | None = None,
    report: Callable[[int, str], None] = lambda done, why: None,
) -> list[str]:
    """Run the rounds; return a description of each that failed."""
    folder, failures = make_shop(place / "here", built).folder, []
    for number in rounds:
        why = run_round(folder, place / "copy", random.Random(f"{seed}:{number}"))
        if why:
            failures.append(f"round {number}: {why}")
        report(number, why)
    return failures


def list_special(folder: str, names: list[str]) -> list[str]:
    """List the pipes and sockets of a folder, which cannot be copied."""
    modes = {name: os.lstat(Path(folder, name)).st_mode for name in names}
    return [name for name, mode in modes.items() if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)]


def import_all() -> None:
    """Import here what commands import, which takes longer than to run them; this process runs none of it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    for name in ("joblib", "numpy", "onnx", "onnx_ir", "onnxruntime", "tokenizers"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(gpt2forge.__path__, "gpt2forge."):
        if not module.name.startswith(("gpt2forge.pytorch", "gpt2forge.__main__")):
            importlib.import_module(module.name)


def run_round(folder: Path, copy: Path, draw: random.Random) -> str:
    """Draw a command and its surroundings, run it, and return what was wrong; empty if nothing was."""
    words = ["build", RECIPE] if draw.random() < 0.05 else draw_command(draw)
    environment, limit, stream = draw.choice(ENVIRONMENTS), draw.choice(LIMITS), draw.choice(STREAMS)
    is_copied = bool(WRITING & set(words)) and words != ["build", RECIPE]
    place = copy if is_copied else folder
    if is_copied:
        shutil.copytree(folder, copy, symlinks=True, ignore=list_special)
    targets = list_targets(place)
    with ExitStack() as stack:
        states: dict[Path, str] = {}
        for path in draw.sample(targets, draw.choice([0, 1, 1, 1, 2])):
            is_below = any(path.is_relative_to(above) for above in states)  # it may lead anywhere now
            if not is_below and os.path.lexists(path):
                states[path] = stack.enter_context(changed(path, draw))
        ended = run_forked(words, place, environment=environment, limit=limit, stream=stream)
    if is_copied:
        remove_tree(copy)
    why = judge(words, ended, stream)
    return why and f"{json.dumps(words)} {environment} {limit} {stream} {list(states.values())}: {why}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = last = time.monotonic()

    def report(number: int, why: str) -> None:
        nonlocal last
        if why:
            print(f"round {number}: {why}\n", flush=True)
        if time.monotonic() - last > 10:
            last = time.monotonic()
            print(f"round {number}, {(number + 1 - options.first) / (last - began):.1f} a second", flush=True)

    rounds = range(options.first, options.first + options.inputs)
    import_all()
    with tempfile.TemporaryDirectory() as place:
        failures = fuzz(rounds, options.seed, Path(place), report=report)
    print(f"{len(failures)} of {options.inputs} rounds failed, seed {options.seed}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
