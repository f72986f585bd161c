"""`recipes/NAME.lock`: the key and digest of each step of a recipe, as sorted lines `stage key digest`.

Measuring steps are left out, because their numbers hold for one machine. If the checkpoint is a repository's, a line
`commit ADDRESS COMMIT` comes first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gpt2forge.builder.report import SourceReport, StepReport
from gpt2forge.errors import Fault, Place, RecipeError, UserError
from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.difference import compare
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import Nearest, explain
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.store import Store

SHORT = 12  # hexadecimal digits of a key or digest that people are shown
LINE = re.compile(r"([a-z_]+) ([0-9a-f]{64}) ([0-9a-f]{64})")
COMMIT_LINE = re.compile(r"commit (\S+) ([0-9a-f]{40})")


@dataclass(frozen=True)
class Lock:
    """The lines of a lock file, by stage: line number, key and digest. `commits` are the commits by address."""

    path: Path
    steps: dict[str, tuple[int, str, str]]
    commits: dict[str, str] = field(default_factory=dict)

    def check_commit(self, address: str, commit: str) -> None:
        """Raise RecipeError if an address leads to another commit than the locked one."""
        locked = self.commits.get(address)
        if locked is None:
            raise self.make_error(1, f"`{address}` is not locked")
        if locked != commit:
            what = f"`{address}` is the commit {commit[:SHORT]}.. now, but {locked[:SHORT]}.. is locked"
            raise self.make_error(1, what)

    def check_step(self, step: PlannedStep, store: Store) -> None:
        """Raise RecipeError, with the line and the difference, if the key of a step differs from the locked one."""
        name = step.stage.name
        line, key, _ = self.steps.get(name, (1, "", ""))
        if name in MEASURING or key == step.key:
            return
        if not key:
            raise self.make_error(line, f"`{name}` is not locked")
        record = store.records.find(name, key)
        if record is None:
            raise self.make_error(
                line, f"`{name}` has the key {str(step.key)[:SHORT]}.., but {key[:SHORT]}.. is locked"
            )
        nearest = Nearest(record, tuple(compare(record.pre_image, step.pre_image)))
        raise self.make_error(line, f"`{name}` differs from the lock: {explain(step.stage, nearest, store.stat_cache)}")

    def check_outcome(self, outcome: Outcome) -> None:
        """Raise RecipeError, with the line, if the digest of a step differs from the locked one."""
        line, _, digest = self.steps.get(outcome.stage, (1, "", ""))
        if outcome.stage not in MEASURING and digest != outcome.digest:
            made = str(outcome.digest)[:SHORT]
            raise self.make_error(line, f"`{outcome.stage}` made the digest {made}.., but {digest[:SHORT]}.. is locked")

    def make_error(self, line: int, problem: str) -> RecipeError:
        """Return the error of a line, with the fix."""
        message = f"{problem}; if this is intended, build with `--write-lock`"
        return RecipeError([Fault(Place(str(self.path), line, 1), message)])


def name_lock(loaded: LoadedRecipe) -> Path:
    """Return the path of a recipe's lock, beside its file; each variant has its own lock."""
    return loaded.path.with_name(f"{loaded.own_name}.lock")


def read_lock(path: Path) -> Lock:
    """Read a lock. Raises UserError if the file is missing or unreadable, RecipeError if a line is not valid."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such lock; write it with `--write-lock`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read; write it again with `--write-lock`") from error
    steps, commits = {}, {}
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        commit = COMMIT_LINE.fullmatch(line)
        if commit:
            commits[commit[1]] = commit[2]
            continue
        if found is None:
            raise RecipeError(
                [Fault(Place(str(path), number, 1), "is not `stage key digest`; write it with `--write-lock`")]
            )
        steps[found[1]] = (number, found[2], found[3])
    return Lock(path, steps, commits)


def write_lock(path: Path, steps: Iterable[StepReport], source: SourceReport | None = None) -> None:
    """Write the keys and digests of these steps, and the commit of their source if it is a repository's."""
    head = [f"commit {source.address} {source.commit}\n"] if source and source.commit else []
    lines = sorted(f"{step.stage} {step.key} {step.digest}\n" for step in steps if step.stage not in MEASURING)
    write_whole(path, "".join([*head, *lines]).encode())
