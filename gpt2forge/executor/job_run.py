"""One job in a run: its plan, what has come out so far, and which stages could go on."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.blocked import Block
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import Plan, PlannedStep
from gpt2forge.stages.stage import Stage


class Checks(Protocol):
    """The conditions of a job beyond its steps. Each method may end the job by raising an error."""

    def check_step(self, step: PlannedStep) -> None:
        """Check a step before it runs or is reused."""

    def check_outcome(self, outcome: Outcome) -> None:
        """Check the outcome of a step."""

    def finish(self, job_run: "JobRun") -> None:
        """Act on a job of which every step has an outcome."""


class NoChecks:
    """Allows everything."""

    def check_step(self, step: PlannedStep) -> None: ...

    def check_outcome(self, outcome: Outcome) -> None: ...

    def finish(self, job_run: "JobRun") -> None: ...


@dataclass
class JobRun:
    """A job in a run. `until` names the last stage that is wanted.

    `outcomes_by_stage` and `blocked` fill while the run goes on, by name of stage; `claimed` are the stages that the
    scheduler has taken up. Blocked stages end the job by an error when all others have come out.
    """

    plan: Plan
    checks: Checks = field(default_factory=NoChecks)
    until: str | None = None
    outcomes_by_stage: dict[str, Outcome] = field(default_factory=dict)
    blocked: dict[str, Block] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    error: BaseException | None = None

    @property
    def job(self) -> Job:
        return self.plan.job

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that this run reaches."""
        return self.job.list_until(self.until)

    @property
    def is_whole(self) -> bool:
        """Return whether every stage has an outcome or is blocked."""
        return all(stage.name in self.outcomes_by_stage or stage.name in self.blocked for stage in self.stages)

    @property
    def is_open(self) -> bool:
        """Return whether there is more to do."""
        return self.error is None and not self.is_whole

    @property
    def ended_well(self) -> bool:
        return self.error is None and self.is_whole

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes so far, in the order of the stages."""
        found = self.outcomes_by_stage
        return [found[stage.name] for stage in self.job.all_stages if stage.name in found]

    def list_startable(self) -> Iterator[Stage]:
        """List the stages whose inputs are made, or never will be, and that the scheduler has not taken up."""
        for stage in self.stages if self.error is None else ():
            makers = self.list_makers(stage)
            is_ready = all(maker.name in self.outcomes_by_stage for maker in makers)
            is_behind_block = any(maker.name in self.blocked for maker in makers)
            if stage.name not in self.claimed and (is_ready or is_behind_block):
                yield stage

    def list_makers(self, stage: Stage) -> list[Stage]:
        """List the stages that make the inputs of a stage."""
        return [maker for kind in stage.reads if (maker := self.job.find_maker(stage, kind))]

    def list_inputs(self, stage: Stage) -> dict[str, str]:
        """Return the digests of a stage's inputs by kind, without those that cannot be made."""
        inputs: dict[str, str] = {}
        for kind in stage.reads:
            maker = self.job.find_maker(stage, kind)
            if maker is None:
                inputs[kind] = self.plan.sources[kind]
            elif maker.name in self.outcomes_by_stage:
                inputs[kind] = str(self.outcomes_by_stage[maker.name].digest)
        return inputs
