"""Chooses the next step of a run and records its outcome.

1. A step is claimed as soon as its inputs are made. A step whose artifact exists is reused at once, in every job.
2. Several lanes run the other steps, each step once, even if several jobs share it: its outcome is `built` in the first
   job and `reused` in the others.
3. The backend says which steps may run at once. Steps that use all processors start when no other step can; those that
   need the whole machine come last.
4. A failure ends the jobs that share the step, and those whose draft is such a job. No other step starts after it,
   except with `keep_going`; running steps finish, and their artifacts stay.
5. A step that cannot run, because a tool is not installed, is left out with every step that needs its artifact. Its job
   ends with an error once all its other steps have outcomes; other jobs go on.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gpt2forge.executor.backend import Backend
from gpt2forge.executor.events import Emit, Event, StepFinished
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.step import make_outcome
from gpt2forge.executor.task import Task, make_task
from gpt2forge.plan.blocked import StepsBlocked
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass
class ScheduledTask:
    """A task and the jobs that share it; it counts as built for the first of them."""

    task: Task
    job_runs: list[JobRun] = field(default_factory=list)
    is_running: bool = False

    @property
    def stage(self) -> Stage:
        return self.task.stage

    @property
    def is_wanted(self) -> bool:
        """Return whether the task runs, or an open job needs it."""
        return self.is_running or any(job_run.is_open for job_run in self.job_runs)


def rank(scheduled: ScheduledTask) -> tuple[bool, bool]:
    """Return the rank of a task by rule 3; the lower rank starts first."""
    return scheduled.stage.alone, scheduled.stage.uses_all_processors


class Scheduler:
    """The state of a run, which its lanes share under one lock."""

    def __init__(
        self,
        job_runs: Sequence[JobRun],
        *,
        store: Store,
        emit: Emit,
        backend: Backend,
        rerun: str | None,
        keep_going: bool,
    ) -> None:
        self.job_runs, self.store, self.backend = job_runs, store, backend
        self.listener, self.rerun, self.keep_going = emit, rerun, keep_going
        self.tasks: dict[str, ScheduledTask] = {}
        self.made: set[str] = set()
        self.lanes = 0
        self.is_ending = False
        self.stop = threading.Event()
        self.changed = threading.Condition(threading.RLock())

    def emit(self, event: Event) -> None:
        """Pass events on one at a time, from any lane."""
        with self.changed:
            self.listener(event)

    def work(self) -> None:
        """Run tasks one after the other, as a lane, until none is left."""
        with self.changed:
            self.lanes += 1
        try:
            while scheduled := self.take():
                self.run_scheduled(scheduled)
        finally:
            with self.changed:
                self.lanes -= 1
                self.changed.notify_all()

    def take(self) -> ScheduledTask | None:
        """Return the next task to run, waiting until one fits; None if none is left."""
        with self.changed:
            while not self.is_ending and self.tasks:
                scheduled = self.choose()
                if scheduled:
                    scheduled.is_running = True
                    return scheduled
                self.changed.wait()
            return None

    def choose(self) -> ScheduledTask | None:
        """Choose a waiting task by rule 3; of equal ranks, the one scheduled first."""
        waiting = [each for each in self.tasks.values() if not each.is_running]
        return next((each for each in sorted(waiting, key=rank) if self.fits(each)), None)

    def fits(self, scheduled: ScheduledTask) -> bool:
        """Return whether a task may run beside the running ones, by rule 3."""
        running = [each.task for each in self.tasks.values() if each.is_running]
        return self.backend.fits(scheduled.task, running)

    def run_scheduled(self, scheduled: ScheduledTask) -> None:
        """Run a task, record its outcome, and claim the next steps. An error ends the task's jobs, not the lane."""
        outcome, error = self.try_task(scheduled.task)
        with self.changed:
            del self.tasks[scheduled.task.key]
            self.made.add(scheduled.task.key)
            for job_run in scheduled.job_runs:
                self.record_outcome(job_run, outcome, error)
                if outcome.outcome == "built":
                    outcome = replace(outcome, outcome="reused", reason="")
            self.advance()
            self.changed.notify_all()

    def try_task(self, task: Task) -> tuple[Outcome, BaseException | None]:
        """Run a task; return its outcome and the error that ended it."""
        began = time.monotonic()
        try:
            return self.backend.run(task, self.emit, self.stop), None
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else task.reason
            seconds = round(time.monotonic() - began, 3)
            return Outcome(stage=task.stage.name, outcome="failed", reason=reason, key=task.key, seconds=seconds), error

    def record_outcome(self, job_run: JobRun, outcome: Outcome, error: BaseException | None = None) -> None:
        """Record the outcome of a step in one of its jobs, and check it."""
        job_run.outcomes_by_stage[outcome.stage] = outcome
        self.emit(StepFinished(outcome, job_run.job.name))
        if job_run.error is not None:
            return
        try:
            if error is not None:
                raise error
            job_run.checks.check_outcome(outcome)
            self.finish(job_run)
        except BaseException as caught:
            self.fail(job_run, caught)

    def finish(self, job_run: JobRun) -> None:
        """End a job whose steps all have outcomes or are blocked (rule 5)."""
        if job_run.error is not None or not job_run.is_whole:
            return
        blocks = [job_run.blocked[stage.name] for stage in job_run.stages if stage.name in job_run.blocked]
        for block in blocks:
            self.skip(job_run, block.stage, block.reason)
        for stage in job_run.job.skipped if job_run.until is None else ():
            self.skip(job_run, stage, "asked for by `--skip`")
        if blocks:
            can_skip = job_run.until is None and self.rerun not in job_run.blocked
            job_run.error = StepsBlocked(job_run.job, blocks, can_skip)
            self.end_readers(job_run)
        else:
            job_run.checks.finish(job_run)

    def skip(self, job_run: JobRun, stage: Stage, reason: str) -> None:
        """Record that a stage was skipped."""
        outcome = Outcome(stage=stage.name, outcome="skipped", reason=reason)
        job_run.outcomes_by_stage[stage.name] = outcome
        self.emit(StepFinished(outcome, job_run.job.name))

    def fail(self, job_run: JobRun, error: BaseException) -> None:
        """End a job with an error, by rule 4."""
        job_run.error = job_run.error or error
        self.end_readers(job_run)
        self.is_ending = self.is_ending or not self.keep_going or not isinstance(error, Exception)
        self.tasks = {key: each for key, each in self.tasks.items() if each.is_wanted}

    def end_readers(self, draft: JobRun) -> None:
        """End the jobs whose packages hold that of a draft which has ended with an error."""
        for job_run in self.job_runs:
            if job_run.draft is draft:
                job_run.error = job_run.error or draft.error

    def advance(self) -> None:
        """Claim every step that can start, by rules 1 and 2, and again after steps that are reused at once."""
        with self.changed:
            while found := [(job_run, stage) for job_run in self.job_runs for stage in job_run.list_startable()]:
                for job_run, stage in found:
                    self.claim(job_run, stage)

    def claim(self, job_run: JobRun, stage: Stage) -> None:
        """Complete the planned step of a stage; reuse its artifact, or schedule a task."""
        job_run.claimed.add(stage.name)
        try:
            is_rerun = stage.name == self.rerun
            step = job_run.plan.resolve(
                stage,
                made=job_run.list_inputs(stage),
                blocked=job_run.blocked,
                store=self.store,
                is_rerun=is_rerun,
            )
            if step.block:
                job_run.blocked[stage.name] = step.block
                self.finish(job_run)
                return
            job_run.checks.check_step(step)
            self.reuse_or_schedule(job_run, step, is_rerun)
        except Exception as error:
            self.fail(job_run, error)

    def reuse_or_schedule(self, job_run: JobRun, step: PlannedStep, is_rerun: bool) -> None:
        """Reuse the artifact of a step, join the task of another job, or schedule a new task."""
        key = str(step.key)
        scheduled = self.tasks.get(key)
        is_forced = is_rerun and key not in self.made
        record = None if is_forced or scheduled else self.find_record(step)
        if record:
            reason = step.equivalent.reason if step.equivalent else self.store.describe_origin(key)
            self.record_outcome(job_run, make_outcome(record, "reused", reason))
        elif scheduled:
            scheduled.job_runs.append(job_run)
        else:
            task = make_task(step, job_run.plan, self.store, is_rerun=is_forced)
            self.tasks[key] = ScheduledTask(task, [job_run])

    def find_record(self, step: PlannedStep) -> Record | None:
        """Return the record of a step's artifact, which may be evicted if no step of the plan reads it."""
        name, key = step.stage.name, str(step.key)
        return self.store.find(name, key) or (self.store.find_evicted(name, key) if step.is_evicted else None)

    def cancel(self, error: BaseException) -> None:
        """Stop the running tasks, wait until they have ended, and end every open job with this error."""
        self.stop.set()
        with self.changed:
            self.is_ending = True
            self.changed.notify_all()
            while self.lanes:
                self.changed.wait()
            for job_run in self.job_runs:
                if job_run.is_open:
                    self.fail(job_run, error)
