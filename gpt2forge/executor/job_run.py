"""One job in a run: its plan, its outcomes so far, and the stages that can start."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gpt2forge.executor.outcome import Outcome
from gpt2forge.plan.blocked import Block
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import Plan, PlannedStep
from gpt2forge.stages.stage import DRAFT, Stage


class Checks(Protocol):
    """Conditions on a job beyond its steps. Each method may end the job by raising an error."""

    def check_step(self, step: PlannedStep) -> None:
        """Check a step before it runs or is reused."""

    def check_outcome(self, outcome: Outcome) -> None:
        """Check the outcome of a step."""

    def finish(self, job_run: "JobRun") -> None:
        """Act on a job whose steps all have outcomes."""


class NoChecks:
    """Checks that allow everything."""

    def check_step(self, step: PlannedStep) -> None: ...

    def check_outcome(self, outcome: Outcome) -> None: ...

    def finish(self, job_run: "JobRun") -> None: ...


@dataclass
class JobRun:
    """A job in a run. `until` names the last stage to run.

    `outcomes_by_stage` and `blocked`, by name of stage, fill during the run; `claimed` names the stages that the
    scheduler has claimed. Blocked stages end the job with an error once all other stages have outcomes. `draft` is the
    run of the job's draft, if a stage of this one reads its package; an error that ends it ends this one.
    """

    plan: Plan
    checks: Checks = field(default_factory=NoChecks)
    until: str | None = None
    outcomes_by_stage: dict[str, Outcome] = field(default_factory=dict)
    blocked: dict[str, Block] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    draft: "JobRun | None" = None
    error: BaseException | None = None

    def flatten(self) -> tuple["JobRun", ...]:
        """Return the run of the draft, if there is one, and this run."""
        return (*(self.draft.flatten() if self.draft else ()), self)

    @property
    def job(self) -> Job:
        return self.plan.job

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages up to `until`."""
        return self.job.list_until(self.until)

    @property
    def is_whole(self) -> bool:
        """Return whether every stage has an outcome or is blocked."""
        return all(stage.name in self.outcomes_by_stage or stage.name in self.blocked for stage in self.stages)

    @property
    def is_open(self) -> bool:
        """Return whether a stage is left to run."""
        return self.error is None and not self.is_whole

    @property
    def ended_well(self) -> bool:
        """Return whether every stage ended without an error."""
        return self.error is None and self.is_whole

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes so far, in order of the stages."""
        found = self.outcomes_by_stage
        return [found[stage.name] for stage in self.job.all_stages if stage.name in found]

    def list_startable(self) -> Iterator[Stage]:
        """List the unclaimed stages whose inputs are made, or cannot be made."""
        for stage in self.stages if self.error is None else ():
            makers = self.list_makers(stage)
            is_ready = all(maker.name in self.outcomes_by_stage for maker in makers) and self.has_draft(stage)
            is_behind_block = any(maker.name in self.blocked for maker in makers)
            if stage.name not in self.claimed and (is_ready or is_behind_block):
                yield stage

    def has_draft(self, stage: Stage) -> bool:
        """Return whether the draft's package is made, or not read by a stage."""
        return DRAFT not in stage.reads or (self.draft is not None and self.draft.package is not None)

    @property
    def package(self) -> str | None:
        """Return the digest of the package once it is made."""
        packer = self.job.packer
        outcome = self.outcomes_by_stage.get(packer.name) if packer else None
        return outcome.digest if outcome else None

    def list_makers(self, stage: Stage) -> list[Stage]:
        """List the stages that make the inputs of a stage."""
        return [maker for kind in stage.reads if (maker := self.job.find_maker(stage, kind))]

    def list_inputs(self, stage: Stage) -> dict[str, str]:
        """Return the digests of a stage's inputs by kind, without those that cannot be made."""
        inputs: dict[str, str] = {}
        for kind in stage.reads:
            maker = self.job.find_maker(stage, kind)
            if kind == DRAFT and self.draft is not None:
                inputs[kind] = str(self.draft.package)
            elif maker is None:
                inputs[kind] = self.plan.sources[kind]
            elif maker.name in self.outcomes_by_stage:
                inputs[kind] = str(self.outcomes_by_stage[maker.name].digest)
        return inputs


def begin_run(plan: Plan, checks: Checks | None = None, until: str | None = None) -> JobRun:
    """Return the run of a plan, and in it the run of its draft if a stage up to `until` reads the draft's package."""
    draft = JobRun(plan.draft) if plan.draft and plan.job.reads_draft(until) else None
    return JobRun(plan, checks or NoChecks(), until, draft=draft)
