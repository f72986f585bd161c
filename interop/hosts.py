"""Asks a program of an environment to go on with prompts: JSON on its standard input, JSON as its last line."""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from interop.environments import HERE, make_node, make_python


@dataclass(frozen=True)
class Answer:
    """What one package said: the prompts' ids, the tokens after each alone, and after all in one left-padded batch."""

    ids: list[list[int]]
    alone: list[list[int]]
    batch: list[list[int]] | None


def ask_python(name: str, folders: Sequence[Path], prompts: Sequence[str], new: int) -> list[Answer]:
    """What `interop/<name>/generate.py` says of each package, in the environment of that name."""
    return ask((str(make_python(name)), str(HERE / name / "generate.py")), folders, prompts, new)


def ask_node(name: str, folders: Sequence[Path], prompts: Sequence[str], new: int) -> list[Answer]:
    """What `interop/<name>/generate.mjs` says of each package, in the environment of that name."""
    return ask(("node", str(make_node(name) / "generate.mjs")), folders, prompts, new)


HOSTS: dict[str, Callable[[str, Sequence[Path], Sequence[str], int], list[Answer]]] = {
    "plain": ask_python,
    "optimum": ask_python,
    "genai": ask_python,
    "transformersjs": ask_node,
}
"""The hosts that answer so, each by the name of its environment."""


def ask(command: Sequence[str], folders: Sequence[Path], prompts: Sequence[str], new: int) -> list[Answer]:
    request = json.dumps({"folders": [str(folder) for folder in folders], "prompts": list(prompts), "new": new})
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-4000:]}"
    return [Answer(**answer) for answer in json.loads(done.stdout.splitlines()[-1])]
