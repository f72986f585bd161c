"""Runs the steps of several plans: existing artifacts are reused, the other steps run, several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.errors import UserError, suggest
from gpt2forge.executor.backend import Backend, LocalBackend
from gpt2forge.executor.events import Emit, Meter
from gpt2forge.executor.job_run import Checks, JobRun, begin_run
from gpt2forge.executor.resources import Resources, find_memory
from gpt2forge.executor.scheduler import Scheduler
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.processors import count_threads
from gpt2forge.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run. `rerun` names a stage that runs again even if its artifact exists.

    `cluster` runs the steps elsewhere; without one, they run in processes of this machine, within `resources`.
    """

    resources: Resources
    rerun: str | None = None
    keep_going: bool = False
    cluster: Backend | None = None

    @property
    def backend(self) -> Backend:
        return self.cluster or LocalBackend(self.resources)


def run_jobs(job_runs: Sequence[JobRun], store: Store, *, emit: Emit, options: Options) -> None:
    """Run every step of every job. `JobRun.error` is the error that ended a job.

    Raises KeyboardInterrupt if the run is interrupted; it is then the error of every job that was still open.
    """
    backend = options.backend
    scheduler = Scheduler(
        job_runs,
        store=store,
        emit=emit,
        backend=backend,
        rerun=options.rerun,
        keep_going=options.keep_going,
    )
    try:
        scheduler.advance()
        if scheduler.tasks:
            count = sum(len(job_run.stages) for job_run in job_runs)
            start_lanes(scheduler.work, min(backend.lanes, count))
    except BaseException as error:
        scheduler.cancel(error)
        raise
    for job_run in job_runs:
        if isinstance(job_run.error, KeyboardInterrupt):
            scheduler.cancel(job_run.error)
            raise job_run.error


def start_lanes(work: Callable[[], None], jobs: int) -> None:
    """Call `work` in several threads and wait for all; each stage runs in a process that a thread starts."""
    from joblib import Parallel, delayed  # only here: importing it takes as long as making a plan

    try:
        Parallel(n_jobs=jobs, backend="threading")(delayed(work)() for _ in range(jobs))
    except AttributeError as error:
        # If a thread cannot be started, ThreadPool ends the others by a method that threads do not have.
        raise error.__context__ if isinstance(error.__context__, RuntimeError) else error from None


def run_job(
    job: Job,
    store: Store,
    emit: Emit,
    *,
    rerun: str | None = None,
    until: str | None = None,
    checks: Checks | None = None,
) -> JobRun:
    """Plan and run a single job with the whole machine. `error` of the result is the error that ended it."""
    check_names(job, rerun, until)
    plan = make_plan(job, Readings(store), Meter("checkpoint", emit, job.name).advance, rerun=rerun)
    job_run = begin_run(plan, checks, until)
    options = Options(resources=Resources(count_threads(), find_memory()), rerun=rerun)
    run_jobs(job_run.flatten(), store, emit=emit, options=options)
    return job_run


def check_names(job: Job, rerun: str | None, until: str | None) -> None:
    """Raise UserError unless `rerun` and `until` each name a stage that runs."""
    known = [stage.name for stage in job.stages]
    skipped = [stage.name for stage in job.skipped]
    for option, name in (("--rerun", rerun), ("--until", until)):
        if name in skipped:
            raise UserError(f"`{option} {name}`: `{name}` is skipped; leave out one of the two options")
        if name is not None and name not in known:
            raise UserError(f"`{option} {name}`: `{job.name}` has no such stage{suggest(name, known)}")
    if rerun and until and known.index(rerun) > known.index(until):
        raise UserError(
            f"`--rerun {rerun}`: comes after `--until {until}`, where the run ends; leave out one of the two options"
        )
