"""Which step of a run is made next, and what comes of it.

1. A step is looked up as soon as its inputs are there. What is made already comes out at once, for every job.
2. The rest is made by several lanes at once, each step once, however many jobs it belongs to: the first of them has
   built it, the others reuse it.
3. Steps that run at once stay within the memory there is, as far as it is foreseen; one step may always run. A step
   that keeps all processors busy runs with nothing beside it: two of these at once take longer than one after the
   other (their threads wait for each other by spinning). Such steps wait until nothing else can run, and those that
   must have the machine to themselves come last.
4. A failure ends the jobs that the step belongs to. Nothing new begins after it, unless told to keep going; what runs
   comes to its end, and is kept.
5. A step that cannot run here, for a tool is not installed, is left out, with all that read what it would make. Its
   job ends by an error when everything else in it has come out; that ends no other job.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gpt2forge.executor.events import Emit, Event, StepFinished
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources
from gpt2forge.executor.step import Task, make_outcome, run_task
from gpt2forge.plan.blocked import StepsBlocked
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass
class Entry:
    """A task, and the jobs whose step it is; the first of them counts as the one that builds it."""

    task: Task
    job_runs: list[JobRun] = field(default_factory=list)
    is_running: bool = False

    @property
    def stage(self) -> Stage:
        return self.task.stage

    @property
    def is_wanted(self) -> bool:
        return self.is_running or any(job_run.is_open for job_run in self.job_runs)


def rank(entry: Entry) -> tuple[bool, bool]:
    """Order entries by rule 3; the lower goes first."""
    return entry.stage.alone, entry.stage.takes_all


class Scheduler:
    """The state of a run. The lanes that work on it share it under one lock."""

    def __init__(
        self,
        job_runs: Sequence[JobRun],
        *,
        store: Store,
        emit: Emit,
        resources: Resources,
        rerun: str | None,
        keep_going: bool,
    ) -> None:
        self.job_runs, self.store, self.resources = job_runs, store, resources
        self.listener, self.rerun, self.keep_going = emit, rerun, keep_going
        self.entries: dict[str, Entry] = {}
        self.made: set[str] = set()
        self.lanes = 0
        self.is_ending = False
        self.stop = threading.Event()
        self.changed = threading.Condition(threading.RLock())

    def emit(self, event: Event) -> None:
        """Pass on one event after the other, whichever lane it comes from."""
        with self.changed:
            self.listener(event)

    def work(self) -> None:
        """Run one task after the other, as a lane, until none is left."""
        with self.changed:
            self.lanes += 1
        try:
            while entry := self.take():
                self.run_entry(entry)
        finally:
            with self.changed:
                self.lanes -= 1
                self.changed.notify_all()

    def take(self) -> Entry | None:
        """Return the next entry to run, waiting until one fits; None when nothing is left."""
        with self.changed:
            while not self.is_ending and self.entries:
                entry = self.choose()
                if entry:
                    entry.is_running = True
                    return entry
                self.changed.wait()
            return None

    def choose(self) -> Entry | None:
        """Choose by rule 3; of equals, the first that came."""
        waiting = [entry for entry in self.entries.values() if not entry.is_running]
        return next((entry for entry in sorted(waiting, key=rank) if self.fits(entry)), None)

    def fits(self, entry: Entry) -> bool:
        running = [other for other in self.entries.values() if other.is_running]
        if not running:
            return True
        if any(each.stage.takes_all for each in (entry, *running)):
            return False
        return sum(each.task.memory for each in (entry, *running)) <= self.resources.memory

    def run_entry(self, entry: Entry) -> None:
        """Run a task and go on from there. An error ends the jobs of the task, not the lane."""
        outcome, error = self.try_task(entry.task)
        with self.changed:
            del self.entries[entry.task.key]
            self.made.add(entry.task.key)
            for job_run in entry.job_runs:
                self.record_outcome(job_run, outcome, error)
                if outcome.outcome == "built":
                    outcome = replace(outcome, outcome="reused", reason="")
            self.advance()
            self.changed.notify_all()

    def try_task(self, task: Task) -> tuple[Outcome, BaseException | None]:
        """Run a task; return its outcome and the error that ended it."""
        began = time.monotonic()
        try:
            return run_task(task, self.emit, self.stop), None
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else task.reason
            seconds = round(time.monotonic() - began, 3)
            return Outcome(stage=task.stage.name, outcome="failed", reason=reason, key=task.key, seconds=seconds), error

    def record_outcome(self, job_run: JobRun, outcome: Outcome, error: BaseException | None = None) -> None:
        """Note the outcome of a step in one of its jobs, and check it."""
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
        """End a job of which every step has an outcome or is blocked, by rule 5."""
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
        else:
            job_run.checks.finish(job_run)

    def skip(self, job_run: JobRun, stage: Stage, reason: str) -> None:
        outcome = Outcome(stage=stage.name, outcome="skipped", reason=reason)
        job_run.outcomes_by_stage[stage.name] = outcome
        self.emit(StepFinished(outcome, job_run.job.name))

    def fail(self, job_run: JobRun, error: BaseException) -> None:
        """End a job by rule 4."""
        job_run.error = job_run.error or error
        self.is_ending = self.is_ending or not self.keep_going or not isinstance(error, Exception)
        self.entries = {key: entry for key, entry in self.entries.items() if entry.is_wanted}

    def advance(self) -> None:
        """Take up every step that could go on, by rules 1 and 2, until none is left that comes out at once."""
        with self.changed:
            while found := [(job_run, stage) for job_run in self.job_runs for stage in job_run.list_startable()]:
                for job_run, stage in found:
                    self.take_up(job_run, stage)

    def take_up(self, job_run: JobRun, stage: Stage) -> None:
        """Complete the planned step of a stage; reuse its artifact, or make it a task."""
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
            self.reuse_or_add(job_run, step, is_rerun)
        except Exception as error:
            self.fail(job_run, error)

    def reuse_or_add(self, job_run: JobRun, step: PlannedStep, is_rerun: bool) -> None:
        key = str(step.key)
        entry = self.entries.get(key)
        is_forced = is_rerun and key not in self.made
        record = None if is_forced or entry else self.find_record(step)
        if record:
            reason = step.kept.reason if step.kept else ""
            self.record_outcome(job_run, make_outcome(record, "reused", reason))
        elif entry:
            entry.job_runs.append(job_run)
        else:
            task = Task(step, job_run.plan, self.store, is_rerun=is_forced)
            self.entries[key] = Entry(task, [job_run])

    def find_record(self, step: PlannedStep) -> Record | None:
        """Return the record of a step that is made. Its artifact may be removed where the plan reads it no more."""
        name, key = step.stage.name, str(step.key)
        return self.store.find(name, key) or (self.store.find_evicted(name, key) if step.is_evicted else None)

    def give_up(self, error: BaseException) -> None:
        """Stop what runs, wait until it has ended, and leave no job open."""
        self.stop.set()
        with self.changed:
            self.is_ending = True
            self.changed.notify_all()
            while self.lanes:
                self.changed.wait()
            for job_run in self.job_runs:
                if job_run.is_open:
                    self.fail(job_run, error)
