"""`recipes/NAME.lock`: the key and digest of each step of a recipe, as sorted lines `stage key digest`.

Measuring steps are left out, because their numbers hold for one machine. If the checkpoint is a repository's, a line
`commit ADDRESS COMMIT` comes first. If the last bits of some steps depend on the processor, a line
`machine STAGE,STAGE MACHINE` names these steps and the machine on which they were locked.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpt2forge.builder.report import SourceReport, StepReport
from gpt2forge.checkpoint.untrusted_text import quote_untrusted
from gpt2forge.errors import Fault, Place, RecipeError, UserError
from gpt2forge.executor.outcome import Outcome
from gpt2forge.measure.host import describe_machine
from gpt2forge.plan.blocked import join_words
from gpt2forge.plan.difference import compare
from gpt2forge.plan.nearest import Nearest
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.plan.reason import explain
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.regular_file import read_whole
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.store.atomic import write_whole
from gpt2forge.store.stat_cache import SHORT
from gpt2forge.store.store import Store
from gpt2forge.store.temporary import clear_asides

LARGEST = 1 << 20  # bytes; a lock has a line for each step
LINE = re.compile(r"([a-z_]+) ([0-9a-f]{64}) ([0-9a-f]{64})")
MACHINE_LINE = re.compile(r"machine ([a-z_,]+) (\S[^\n]*)")
COMMIT_LINE = re.compile(r"commit (\S+) ([0-9a-f]{40})")


@dataclass(frozen=True)
class Lock:
    """The lines of a lock file, by stage: line number, key and digest.

    `commits` are the commits by address, `machines` the line number and machine of each stage that depends on it.
    """

    path: Path
    steps: dict[str, tuple[int, str, str]]
    commits: dict[str, str] = field(default_factory=dict)
    machines: dict[str, tuple[int, str]] = field(default_factory=dict)

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
        self.check_machine(name)
        record = store.records.find(name, key)
        if record is None:
            raise self.make_error(
                line, f"`{name}` has the key {str(step.key)[:SHORT]}.., but {key[:SHORT]}.. is locked"
            )
        nearest = Nearest(record, tuple(compare(record.pre_image, step.pre_image)))
        raise self.make_error(line, f"`{name}` differs from the lock: {explain(step.stage, nearest, store.stat_cache)}")

    def check_machine(self, stage: str) -> None:
        """Raise RecipeError if a stage depends on the machine and was locked on another one than this."""
        line, locked = self.machines.get(stage, (1, ""))
        here = describe_machine()
        if locked not in ("", here):
            verb = "depends" if len(self.machines) == 1 else "depend"
            message = (
                f"{join_words(list(self.machines))} {verb} on the machine, and the lock was written on "
                f"{quote_untrusted(locked)}; this is `{here}`: build on such a machine, or write the lock on this one "
                "with `--write-lock`"
            )
            raise RecipeError([Fault(Place(str(self.path), line, 1), message)])

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
        lines = read_whole(path, LARGEST).decode().splitlines()
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such lock; write it with `--write-lock`") from error
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        raise UserError(f"{path}: {problem}; write it again with `--write-lock`") from error
    lock = Lock(path, {})
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        commit, machine = COMMIT_LINE.fullmatch(line), MACHINE_LINE.fullmatch(line)
        if commit:
            lock.commits[commit[1]] = commit[2]
            continue
        if machine:
            lock.machines.update(dict.fromkeys(machine[1].split(","), (number, machine[2])))
            continue
        if found is None:
            raise RecipeError(
                [Fault(Place(str(path), number, 1), "is not `stage key digest`; write it with `--write-lock`")]
            )
        lock.steps[found[1]] = (number, found[2], found[3])
    return lock


def write_lock(
    path: Path, steps: Iterable[StepReport], source: SourceReport | None = None, by_processor: Sequence[str] = ()
) -> None:
    """Write the keys and digests of these steps, the commit of a repository's source, and this machine.

    `by_processor` are the stages that depend on the machine; without any, the lock does not name it.
    """
    head = [f"commit {source.address} {source.commit}\n"] if source and source.commit else []
    machine = [f"machine {','.join(by_processor)} {describe_machine()}\n"] if by_processor else []
    lines = sorted(f"{step.stage} {step.key} {step.digest}\n" for step in steps if step.stage not in MEASURING)
    write_whole(path, "".join([*head, *machine, *lines]).encode())
    clear_asides(path.parent)
