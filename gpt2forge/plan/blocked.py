"""Steps that cannot run here, because tools that they need are not installed.

1. A step is blocked when one of its tools is missing, or when it reads what a blocked step would make.
2. All other steps can run. What the recipe asks to be measured is not published without the measurement.
3. If every blocked step may be skipped, `--skip` publishes the result without measuring it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gpt2forge.errors import UserError
from gpt2forge.plan.job import Job
from gpt2forge.plan.tools import Versions, find_versions, list_missing, name_installer
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.stages.stage import Stage


@dataclass(frozen=True)
class Block:
    """A step that cannot run: `tools` are not installed, and `inputs`, by kind, cannot be made."""

    stage: Stage
    tools: tuple[str, ...]
    inputs: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        if self.tools:
            return f"needs {join_words(self.tools)}, which {'is' if len(self.tools) == 1 else 'are'} not installed"
        return f"needs {join_words(self.inputs)}, which cannot be made"


def find_block(job: Job, stage: Stage, *, versions: Versions, blocked: Iterable[str]) -> Block | None:
    """Apply rule 1. `versions` are those of the stage's tools, `blocked` the names of the earlier blocked stages."""
    names = set(blocked)
    makers = {kind: job.find_maker(stage, kind) for kind in stage.reads}
    inputs = tuple(kind for kind, maker in makers.items() if maker and maker.name in names)
    tools = list_missing(versions)
    return Block(stage, tools, inputs) if tools or inputs else None


def list_blocks(job: Job) -> list[Block]:
    """List the steps of a job that cannot run here, except where the store has an equivalent artifact."""
    found: dict[str, Block] = {}
    for stage in job.stages:
        block = find_block(job, stage, versions=find_versions(stage), blocked=found)
        if block:
            found[stage.name] = block
    return list(found.values())


class StepsBlocked(UserError):
    """Ends a job after all its other steps. The message names the blocked steps, the tools they need and the fix.

    `can_skip`: no other option forbids `--skip`.
    """

    def __init__(self, job: Job, blocks: Sequence[Block], can_skip: bool = True) -> None:
        self.job, self.blocks, self.can_skip = job, tuple(blocks), can_skip
        super().__init__(*format_blocked([self]).splitlines())

    @property
    def skip(self) -> set[str]:
        """The stages to name in `--skip` by rule 3; empty if that would not help."""
        if not self.can_skip or not all(block.stage.optional for block in self.blocks):
            return set()
        stages = [*(block.stage for block in self.blocks), *self.job.skipped]
        read = {kind for stage in stages for kind in stage.reads}
        return {stage.name for stage in stages if stage.writes not in read}


def format_blocked(errors: Sequence[StepsBlocked], again: str = "build again", unmeasured: str = "publish") -> str:
    """Format one message for several jobs: jobs that lack the same tools share a line.

    `again` is the command to repeat after the installation, `unmeasured` the one that `--skip` allows.
    """
    named = {name for error in errors for name in error.skip}
    skip = [name for name in MEASURING if name in named]
    recipes: dict[str, list[str]] = {}
    for error in errors:
        remedy = f"run `{name_installer(tool for block in error.blocks for tool in block.tools)}` and {again}"
        if error.skip:
            remedy += f", or {unmeasured} without measuring: `--skip {','.join(skip)}`"
        line = f"{format_needs(error.blocks)}; {remedy}"
        recipes.setdefault(line, []).append(error.job.name)
    return "\n".join(f"{', '.join(names)}: {line}" for line, names in recipes.items())


def format_needs(blocks: Sequence[Block]) -> str:
    """Format which steps need which tools, and which later steps cannot run either."""
    needing: dict[tuple[str, ...], list[str]] = {}
    for block in blocks:
        if block.tools:
            needing.setdefault(block.tools, []).append(block.stage.name)
    needs = join(list(list_needs(needing)))
    is_one = len({tool for tools in needing for tool in tools}) == 1
    behind = [block.stage.name for block in blocks if not block.tools]
    rest = f", so {join_words(behind)} cannot run either" if behind else ""
    return f"{needs}, which {'is' if is_one else 'are'} not installed{rest}"


def list_needs(needing: Mapping[tuple[str, ...], Sequence[str]]) -> Iterator[str]:
    """Yield one clause for each set of tools. `needing` are the names of the stages by the tools that they need."""
    for tools, stages in needing.items():
        yield f"{join_words(stages)} {'needs' if len(stages) == 1 else 'need'} {join_words(tools)}"


def join_words(words: Sequence[str]) -> str:
    """Join words in backticks, as in "`a`, `b` and `c`"."""
    return join([f"`{word}`" for word in words])


def join(parts: Sequence[str]) -> str:
    """Join parts as in `a, b and c`."""
    return " and ".join([part for part in (", ".join(parts[:-1]), *parts[-1:]) if part])
