"""What `import gpt2forge` offers. Each function imports what it needs when it is called, as a command does."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2forge.errors import MENDABLE, UserError, check_argument, say_refusal

if TYPE_CHECKING:
    from gpt2forge.builder.build_events import Emit
    from gpt2forge.builder.report import Report
    from gpt2forge.runtime.model import Model


@dataclass(frozen=True)
class Built:
    """The result of a build: the published directory, and the report, which `build/NAME.json` also holds."""

    output: Path
    report: "Report"


def build(
    recipe: str | os.PathLike[str],
    *,
    store: str | os.PathLike[str] = "cache",
    changes: Sequence[str] = (),
    name: str | None = None,
    rerun: str | None = None,
    skip: Sequence[str] = (),
    progress: "Emit | None" = None,
) -> Built:
    """Build a recipe into `build/<name>`, as `gpt2forge build` does.

    It is named as `NAME` or `NAME@VARIANT` under `recipes/`, or by its path.
    `changes` are as for `--set`: "quantization.granularity=32"; they need a `name` to publish under. `rerun` names a
    stage to make again, `skip` measuring stages to leave out: ["verify", "benchmark"]. Prints nothing; `progress` is
    called with the events of gpt2forge.builder.build_events as they happen.
    Raises UserError with the lines that the command would print.
    """
    from gpt2forge.builder.build import build_one, choose_means, make_order
    from gpt2forge.executor.run import Options
    from gpt2forge.recipe.load import load_recipe
    from gpt2forge.store.store import Store

    changes = [changes] if isinstance(changes, str) else changes
    skip = skip.split(",") if isinstance(skip, str) else skip
    for change in changes:
        check_argument("changes", change, str)
    if changes and name is None:
        raise UserError("`changes` make another recipe: say with `name` what to publish it as")
    try:
        order = make_order(load_recipe(os.fspath(recipe), changes, name), skip)
        report = build_one(order, Store(Path(store)), progress or ignore, Options(choose_means(), rerun))
    except OSError as error:
        if error.errno in MENDABLE:
            raise UserError(say_refusal(error)) from error
        raise
    return Built(Path(str(report.output)), report)


def ignore(event: object) -> None:
    """Shows nothing."""


def load(built: str | os.PathLike[str], threads: int = 0) -> "Model":
    """Open what was built: a recipe's name, or a directory that was built or copied; 0 threads: one for each core.

    Raises UserError where nothing was built, or it is no longer whole.
    """
    from gpt2forge.builder.outputs import find_output
    from gpt2forge.runtime.model import open_model

    if not isinstance(built, str | os.PathLike):
        raise TypeError(f"`built` must be a recipe's name or a path, not {type(built).__name__}")
    # A path is a path, though it may be of one word.
    reference = built if isinstance(built, str) else os.path.join(os.curdir, built)  # noqa: PTH118
    return open_model(find_output(reference), threads)
