"""Asks a program in an environment to continue prompts: JSON on its standard input, JSON as its last line.

Without a number of new tokens, those programs that read a package's settings do as these say.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from interop.environments import HERE, make_node, make_python


@dataclass(frozen=True)
class Answer:
    """A host's answer for one package.

    `ids` are the ids of the prompts, `alone` the tokens after each prompt alone, `batch` those after all prompts in one
    left-padded batch.
    """

    ids: list[list[int]]
    alone: list[list[int]]
    batch: list[list[int]] | None


def ask_python(name: str, folders: Sequence[Path], prompts: Sequence[str], new: int | None) -> list[Answer]:
    """Run `interop/<name>/generate.py` in the environment of that name. Return its answer for each package."""
    return ask((str(make_python(name)), str(HERE / name / "generate.py")), folders, prompts, new)


def ask_node(name: str, folders: Sequence[Path], prompts: Sequence[str], new: int | None) -> list[Answer]:
    """Run `interop/<name>/generate.mjs` in the environment of that name. Return its answer for each package."""
    return ask(("node", str(make_node(name) / "generate.mjs")), folders, prompts, new)


HOSTS: dict[str, Callable[[str, Sequence[Path], Sequence[str], int | None], list[Answer]]] = {
    "plain": ask_python,
    "optimum": ask_python,
    "genai": ask_python,
    "transformersjs": ask_node,
}
"""The hosts that answer such a request, by the name of their environment."""


def ask(command: Sequence[str], folders: Sequence[Path], prompts: Sequence[str], new: int | None) -> list[Answer]:
    request = json.dumps({"folders": [str(folder) for folder in folders], "prompts": list(prompts), "new": new})
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-4000:]}"
    return [Answer(**answer) for answer in json.loads(done.stdout.splitlines()[-1])]
