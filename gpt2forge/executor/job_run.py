"""A job on its way through a run: what has come out of it, and which of its stages could go on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.step import Look, Step
from gpt2forge.plan.blocked import Block
from gpt2forge.plan.job import Job
from gpt2forge.stages.stage import Stage


def allow(what: object) -> None:
    """Judges nothing."""


@dataclass
class Track:
    """`admit` looks at each step before it is made, `judge` at each outcome, and both may end the job by an error.
    `finish` is called when every step has come out.

    `blocked` are the stages that cannot run here, by name: they end the job by an error when all others have come out.
    `until` names the last stage that is wanted, `evicted` the stages whose artifacts need not be there. `sources` are
    the digests of what no step made, by kind, `looks` what it was before it was read.
    """

    job: Job
    judge: Callable[[Outcome], None] = allow
    admit: Callable[[Step], None] = allow
    finish: Callable[["Track"], None] = lambda track: None
    until: str | None = None
    evicted: frozenset[str] = frozenset()
    sources: dict[str, str] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    found: dict[str, Outcome] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    blocked: dict[str, Block] = field(default_factory=dict)
    error: BaseException | None = None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that this run reaches."""
        names = [stage.name for stage in self.job.stages]
        return self.job.stages if self.until is None else self.job.stages[: names.index(self.until) + 1]

    @property
    def is_whole(self) -> bool:
        """Tell whether every stage has an outcome or is blocked."""
        return all(stage.name in self.found or stage.name in self.blocked for stage in self.stages)

    @property
    def is_open(self) -> bool:
        """Whether there is more to do."""
        return self.error is None and not self.is_whole

    @property
    def outcomes(self) -> list[Outcome]:
        """What has come out so far, in the order of the stages."""
        return [self.found[stage.name] for stage in self.job.all_stages if stage.name in self.found]

    def list_startable(self) -> Iterator[Stage]:
        """The stages whose inputs are there, or will never be there, and that nobody has taken in hand."""
        for stage in self.stages if self.error is None else ():
            is_ready = all(maker.name in self.found for maker in self.list_makers(stage))
            if stage.name not in self.claimed and (is_ready or self.is_behind_block(stage)):
                yield stage

    def is_behind_block(self, stage: Stage) -> bool:
        """Tell whether a stage reads the artifact of a blocked one."""
        return any(maker.name in self.blocked for maker in self.list_makers(stage))

    def list_makers(self, stage: Stage) -> list[Stage]:
        """The stages that make what a stage reads."""
        return [maker for kind in stage.reads if (maker := self.job.find_maker(stage, kind))]

    def list_inputs(self, stage: Stage) -> dict[str, str]:
        """The digests of what a stage reads, by kind."""
        makers = {kind: self.job.find_maker(stage, kind) for kind in stage.reads}
        return {
            kind: self.sources[kind] if maker is None else str(self.found[maker.name].digest)
            for kind, maker in makers.items()
        }
