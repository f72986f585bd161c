"""Builds of an empty store with a remote level that has everything, beside a cold build and a copy of the package.

Each build is a whole process. `sent_bytes` and `requests` are those of the HTTP level; `store_bytes` is what the build
left in its store.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.builds import COLD
from bench.commands import BUILD, ROOT, run_command, take_turns
from bench.plan import Plan
from bench.prepare import EXAMPLES, link_folders
from gpt2forge.remote.signing import VARIABLE, load_signer, make_secret
from gpt2forge.store.atomic import remove_tree
from gpt2forge.store.inventory import measure_store
from gpt2forge.store.store import Store

ROUNDS = 5
UNLIMITED = ("--set", "~verify", "--set", "~benchmark")
COLD_BUILD = "cold, and pushed to a folder"
COPY, NOTHING = "copying the package's files", "nothing to do, with HTTP"
FOLDER, HTTP = "from a folder", "from HTTP on loopback"


@dataclass(frozen=True)
class Remote:
    """A model's builds with levels behind the store: `level` is a folder, which the server at `url` serves too."""

    plan: Plan
    folder: Path
    url: str
    log: Path

    @property
    def level(self) -> Path:
        return self.folder / "level"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def build(self, remote: str) -> float:
        """Return the seconds of a build with this level."""
        recipe, changes = str(self.plan.recipe(COLD)), (*self.plan.settings(COLD), *UNLIMITED)
        words = [recipe, *changes, "--name", "remote", "--store", str(self.store)]
        return run_command([*BUILD, *words, "--remote", remote], self.folder).seconds

    def build_cold(self, remote: str) -> float:
        """Return the seconds of the same build into an empty store."""
        if self.store.exists():
            remove_tree(self.store)
        return self.build(remote)

    def copy(self) -> float:
        """Return the seconds in which a process copies the package's files."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        package = (self.folder / "build/remote").resolve()
        return run_command(["cp", "-r", str(package), str(self.folder / "copy")], self.folder).seconds

    def count(self) -> dict[str, int]:
        """Return the requests and the bytes that the server has answered since it was last asked."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return {"requests": len(lines), "sent_bytes": sum(int(line.split()[1]) for line in lines)}


def measure_remote(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Return what each model's builds take, by the model."""
    return {model: measure_model(plan) for model, plan in plans.items()}


def measure_model(plan: Plan) -> dict[str, Any]:
    """Measure one model's builds: the cold one once, and the others in turns."""
    with prepare(plan) as remote:
        found: dict[str, dict[str, Any]] = {}

        def count(name: str, act: Callable[[], float]) -> float:
            remote.count()
            seconds = act()
            found[name] = measure(remote)
            return seconds

        acts: dict[str, Callable[[], float]] = {
            FOLDER: lambda: remote.build_cold(str(remote.level)),
            HTTP: lambda: remote.build_cold(remote.url),
            NOTHING: lambda: remote.build(remote.url),
            COPY: remote.copy,
        }
        spreads = take_turns({COLD_BUILD: lambda: count(COLD_BUILD, acts[FOLDER])}, 1)
        counted = {name: partial(count, name, act) for name, act in acts.items()}
        for name, spread in (spreads | take_turns(counted, min(ROUNDS, plan.rounds))).items():
            found[name]["seconds"] = spread
        found[COPY]["store_bytes"] = sum(path.stat().st_size for path in (remote.folder / "copy").iterdir())
        return found


def measure(remote: Remote) -> dict[str, Any]:
    return {**remote.count(), "store_bytes": measure_store(Store(remote.store, is_read_only=True))}


@contextmanager
def prepare(plan: Plan) -> Iterator[Remote]:
    """Make an empty folder to build in, with a key and a level that a server serves; end the server at the end."""
    folder = plan.work / "remote"
    if folder.exists():
        remove_tree(folder)
    link_folders(folder, EXAMPLES, plan.work / "checkpoints")
    (folder / "level").mkdir()
    log = folder / "log"
    log.touch()
    secret = make_secret()
    (folder / "gpt2forge.yaml").write_text(f"store: {{trusted: ['{load_signer(secret).public}']}}\n")
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = secret
    command = [sys.executable, "-m", "bench.cache_server", str((folder / "level").absolute()), str(log.absolute())]
    try:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                yield Remote(plan, folder, server.stdout.readline().strip(), log)
            finally:
                server.terminate()
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
