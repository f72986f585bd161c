"""The functions of `import gpt2forge`. Each function imports what it needs when it is called, as a command does."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2forge.errors import UserError, check_argument, format_fixable, is_fixable

if TYPE_CHECKING:
    from gpt2forge.builder.build_events import Emit
    from gpt2forge.builder.report import Report
    from gpt2forge.runtime.model import Model


@dataclass(frozen=True)
class Built:
    """The result of a build: the published directory, and the report that is also saved beside it."""

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

    `recipe` is `NAME` or `NAME@VARIANT` under `recipes/`, or a path. `changes` are as for `--set`, for example
    "quantization.granularity=32"; they need a `name` to publish the result under. `rerun` names a stage to run again.
    `skip` names measuring stages to leave out: ["verify", "benchmark"]. `progress` is called with each event of
    gpt2forge.builder.build_events as it happens; nothing is printed.
    Raises UserError with the lines that the command would print.
    """
    from gpt2forge.builder.build import choose_resources, make_build, run_build
    from gpt2forge.builder.fetch_sources import SourceFetcher
    from gpt2forge.builder.open_store import open_store
    from gpt2forge.executor.run import Options
    from gpt2forge.recipe.load import load_recipe

    changes = [changes] if isinstance(changes, str) else changes
    skip = skip.split(",") if isinstance(skip, str) else skip
    for change in changes:
        check_argument("changes", change, str)
    if changes and name is None:
        raise UserError("`changes` make another recipe; give a `name` to publish its result under")
    try:
        loaded = load_recipe(os.fspath(recipe), changes, name)
        made = make_build(loaded, fetcher=SourceFetcher(progress or ignore), skip=skip)
        options = Options(resources=choose_resources(), rerun=rerun)
        opened = open_store(Path(store), warn=warn)
        report = run_build(made, opened, emit=progress or ignore, options=options)
    except Exception as error:
        if is_fixable(error) and not isinstance(error, UserError):
            raise UserError(format_fixable(error)) from error
        raise
    return Built(Path(str(report.output)), report)


def warn(message: str) -> None:
    """Warn of a remote level that failed."""
    warnings.warn(message, stacklevel=2)


def ignore(event: object) -> None:
    """Discard an event."""


def load(built: str | os.PathLike[str], threads: int = 0, *, packed: str | os.PathLike[str] | None = None) -> "Model":
    """Open a recipe's result by the recipe's name, or a published or copied directory by its path.

    0 threads means those of the variable GPT2FORGE_THREADS, else one for each core that this process may use, within
    the quota of its control group. `packed` is a folder that keeps the weights as this processor's kernels read them,
    so that processes share them; the first one writes it, which takes twice the weights' bytes on the disk.
    Raises UserError if nothing was built or the directory is not complete, or if `packed` holds something else.
    """
    from gpt2forge.builder.open_package import open_package
    from gpt2forge.builder.result import open_result

    if not isinstance(built, str | os.PathLike):
        raise TypeError(f"`built` must be a recipe's name or a path, not {type(built).__name__}")
    # A Path of one word is a path too, never the name of a recipe.
    reference = built if isinstance(built, str) else os.path.join(os.curdir, built)  # noqa: PTH118
    with open_result(reference) as result:
        return open_package(result.folder, threads, None if packed is None else Path(packed))
