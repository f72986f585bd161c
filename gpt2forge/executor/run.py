"""Runs the steps of several plans: what is made already is reused, the rest is made, several steps at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.errors import UserError, quote
from gpt2forge.executor.events import Emit, Meter
from gpt2forge.executor.job_run import Checks, JobRun, NoChecks
from gpt2forge.executor.resources import Resources, count_processors, find_memory
from gpt2forge.executor.scheduler import Scheduler
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import make_plan
from gpt2forge.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Options:
    """`rerun` names a stage that runs again even if its artifact is there."""

    resources: Resources
    rerun: str | None = None
    keep_going: bool = False


def run_jobs(job_runs: Sequence[JobRun], store: Store, emit: Emit, options: Options) -> None:
    """Run every step of every job. The error that ended a job stands in its JobRun.

    Raises KeyboardInterrupt when the run is given up; every job that was open then has that as its error.
    """
    scheduler = Scheduler(
        job_runs,
        store=store,
        emit=emit,
        resources=options.resources,
        rerun=options.rerun,
        keep_going=options.keep_going,
    )
    try:
        scheduler.advance()
        if scheduler.entries:
            most = sum(len(job_run.stages) for job_run in job_runs)
            start_lanes(scheduler.work, min(options.resources.jobs, most))
    except BaseException as error:
        scheduler.give_up(error)
        raise
    for job_run in job_runs:
        if isinstance(job_run.error, KeyboardInterrupt):
            scheduler.give_up(job_run.error)
            raise job_run.error


def start_lanes(work: Callable[[], None], jobs: int) -> None:
    """Do the same work in several threads, and wait for all; the stages run in processes of their own."""
    from joblib import Parallel, delayed  # here, because importing it takes as long as making a plan

    Parallel(n_jobs=jobs, backend="threading")(delayed(work)() for _ in range(jobs))


def run_job(
    job: Job,
    store: Store,
    emit: Emit,
    *,
    rerun: str | None = None,
    until: str | None = None,
    checks: Checks | None = None,
) -> JobRun:
    """Plan and run a job that stands alone, with all of the machine. The error that ended it stands in the result."""
    check_names(job, rerun, until)
    plan = make_plan(job, store, Meter("checkpoint", emit, job.name).advance, rerun)
    job_run = JobRun(plan, checks or NoChecks(), until)
    run_jobs([job_run], store, emit, Options(resources=Resources(count_processors(), find_memory()), rerun=rerun))
    return job_run


def check_names(job: Job, rerun: str | None, until: str | None) -> None:
    """Raise UserError unless both name stages that this run reaches."""
    known = [stage.name for stage in job.stages]
    skipped = [stage.name for stage in job.skipped]
    for option, name in (("--rerun", rerun), ("--until", until)):
        if name in skipped:
            raise UserError(f"`{option} {name}`: `{name}` is skipped; leave out one of the two options")
        if name is not None and name not in known:
            raise UserError(f"`{option} {name}`: `{job.name}` has no such stage; it has {quote(known)}")
    if rerun and until and known.index(rerun) > known.index(until):
        raise UserError(f"`--rerun {rerun}`: comes after `--until {until}`, where the run ends")
