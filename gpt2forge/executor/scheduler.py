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
from dataclasses import dataclass, replace

from gpt2forge.executor.events import Emit, StepFinished
from gpt2forge.executor.job_run import Track
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Means
from gpt2forge.executor.step import Errand, Step, carry_out, make_errand, make_step, tell
from gpt2forge.plan.blocked import StepsBlocked, find_block
from gpt2forge.plan.tools import Versions, find_versions
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass
class Task:
    """A step that is to be made, or is being made, and the jobs that it belongs to."""

    errand: Errand
    tracks: list[Track]
    is_running: bool = False

    @property
    def stage(self) -> Stage:
        return self.errand.step.stage

    @property
    def is_wanted(self) -> bool:
        return self.is_running or any(track.is_open for track in self.tracks)


def rank(task: Task) -> tuple[bool, bool]:
    """The lower goes first, by rule 3."""
    return task.stage.alone, task.stage.takes_all


def find_record(track: Track, step: Step) -> Record | None:
    """What is made already; its artifact may be gone where the plan of the job needs it no more."""
    return step.find() or (step.find_evicted() if step.stage.name in track.evicted else None)


class Schedule:
    """The state of a run; the lanes that work on it share it under one lock."""

    def __init__(
        self, tracks: Sequence[Track], store: Store, emit: Emit, means: Means, rerun: str | None, keep_going: bool
    ) -> None:
        self.tracks, self.store, self.means = tracks, store, means
        self.tell, self.rerun, self.keep_going = emit, rerun, keep_going
        self.tasks: dict[str, Task] = {}
        self.made: set[str] = set()
        self.lanes = 0
        self.is_ending = False
        self.stop = threading.Event()
        self.changed = threading.Condition(threading.RLock())

    def emit(self, event: object) -> None:
        """One event after the other, whichever lane it comes from."""
        with self.changed:
            self.tell(event)  # type: ignore[arg-type]

    def work(self) -> None:
        """A lane: makes one step after the other, until there is none left."""
        with self.changed:
            self.lanes += 1
        try:
            while task := self.take():
                self.bring_about(task)
        finally:
            with self.changed:
                self.lanes -= 1
                self.changed.notify_all()

    def take(self) -> Task | None:
        """The next step to make; waits until there is one that fits, None when nothing is left."""
        with self.changed:
            while not self.is_ending and self.tasks:
                task = self.choose()
                if task:
                    task.is_running = True
                    return task
                self.changed.wait()
            return None

    def choose(self) -> Task | None:
        """By rule 3; else first come, first served."""
        waiting = [task for task in self.tasks.values() if not task.is_running]
        return next((task for task in sorted(waiting, key=rank) if self.fits(task)), None)

    def fits(self, task: Task) -> bool:
        running = [other for other in self.tasks.values() if other.is_running]
        if not running:
            return True
        if any(each.stage.takes_all for each in (task, *running)):
            return False
        return sum(each.errand.estimate.memory for each in (task, *running)) <= self.means.memory

    def bring_about(self, task: Task) -> None:
        """Make a step, and go on from there; whatever goes wrong is the end of its jobs, not of the lane."""
        step, began = task.errand.step, time.monotonic()
        try:
            outcome, error = carry_out(task.errand, self.emit, self.stop), None
        except BaseException as caught:
            seconds = round(time.monotonic() - began, 3)
            why = "interrupted" if isinstance(caught, KeyboardInterrupt) else task.errand.reason
            outcome, error = Outcome(step.stage.name, "failed", why, step.key, seconds=seconds), caught
        with self.changed:
            del self.tasks[step.key]
            self.made.add(step.key)
            for track in task.tracks:
                self.come_out(track, outcome, error)
                if outcome.outcome == "built":
                    outcome = replace(outcome, outcome="reused", reason="")
            self.advance()
            self.changed.notify_all()

    def come_out(self, track: Track, outcome: Outcome, error: BaseException | None = None) -> None:
        """Note what became of a step in one of its jobs, and judge it."""
        track.found[outcome.stage] = outcome
        self.emit(StepFinished(outcome, track.job.name))
        if track.error is not None:
            return
        try:
            if error is not None:
                raise error
            track.judge(outcome)
            self.finish(track)
        except BaseException as caught:
            self.fail(track, caught)

    def finish(self, track: Track) -> None:
        """End a job of which every step has come out or is blocked, by rule 5."""
        if track.error is not None or not track.is_whole:
            return
        blocks = [track.blocked[stage.name] for stage in track.stages if stage.name in track.blocked]
        for block in blocks:
            self.leave_out(track, block.stage, block.reason)
        for stage in track.job.skipped if track.until is None else ():
            self.leave_out(track, stage, "asked for by `--skip`")
        if blocks:
            can_skip = track.until is None and self.rerun not in track.blocked
            track.error = StepsBlocked(track.job, blocks, can_skip)
        else:
            track.finish(track)

    def leave_out(self, track: Track, stage: Stage, reason: str) -> None:
        track.found[stage.name] = Outcome(stage.name, "skipped", reason)
        self.emit(StepFinished(track.found[stage.name], track.job.name))

    def fail(self, track: Track, error: BaseException) -> None:
        """By rule 4."""
        track.error = track.error or error
        self.is_ending = self.is_ending or not self.keep_going or not isinstance(error, Exception)
        self.tasks = {key: task for key, task in self.tasks.items() if task.is_wanted}

    def advance(self) -> None:
        """Look up every step that could go on, by rules 1 and 2, until none is left that comes out at once."""
        with self.changed:
            while found := [(track, stage) for track in self.tracks for stage in track.list_startable()]:
                for track, stage in found:
                    self.look_up(track, stage)

    def look_up(self, track: Track, stage: Stage) -> None:
        track.claimed.add(stage.name)
        try:
            if track.is_behind_block(stage):
                self.check_block(track, stage, find_versions(stage))
                return
            is_rerun = stage.name == self.rerun
            step = make_step(track.job, stage, self.store, track.list_inputs(stage), track.looks, is_rerun)
            if self.check_block(track, stage, step.versions):
                return
            track.admit(step)
            task = self.tasks.get(step.key)
            again = is_rerun and step.key not in self.made
            record = None if again or task else find_record(track, step)
            if record:
                self.come_out(track, tell(record, "reused", step.kept.reason if step.kept else ""))
            elif task:
                task.tracks.append(track)
            else:
                self.tasks[step.key] = Task(make_errand(step, again), [track])
        except Exception as error:
            self.fail(track, error)

    def check_block(self, track: Track, stage: Stage, versions: Versions) -> bool:
        """Note a stage that cannot run, by rule 5; return whether it is one."""
        block = find_block(track.job, stage, versions, track.blocked)
        if block:
            track.blocked[stage.name] = block
            self.finish(track)
        return block is not None

    def give_up(self, error: BaseException) -> None:
        """End what runs, wait until it has, and leave no job open."""
        self.stop.set()
        with self.changed:
            self.is_ending = True
            self.changed.notify_all()
            while self.lanes:
                self.changed.wait()
            for track in self.tracks:
                if track.is_open:
                    self.fail(track, error)
