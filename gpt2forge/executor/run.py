"""Runs jobs: what is made already is reused, the rest is made, several steps at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gpt2forge.errors import UserError, quote
from gpt2forge.executor.events import Emit, Meter
from gpt2forge.executor.job_run import Track, allow
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Means, count_processors, find_memory
from gpt2forge.executor.scheduler import Schedule
from gpt2forge.plan.job import Job
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Options:
    """`rerun` names a stage that is made again even if it is there."""

    means: Means
    rerun: str | None = None
    keep_going: bool = False


def run_tracks(tracks: Sequence[Track], store: Store, emit: Emit, options: Options) -> None:
    """Bring every step of every job about; what ended a job stands in its track.

    Raises KeyboardInterrupt when the run is given up; every job that was open then has that as its error.
    """
    schedule = Schedule(tracks, store, emit, options.means, options.rerun, options.keep_going)
    try:
        for track in tracks:
            find_sources(track, store, schedule.emit)
        schedule.advance()
        if schedule.tasks:
            most = sum(len(track.stages) for track in tracks)
            start_lanes(schedule.work, min(options.means.jobs, most))
    except BaseException as error:
        schedule.give_up(error)
        raise
    for track in tracks:
        if isinstance(track.error, KeyboardInterrupt):
            schedule.give_up(track.error)
            raise track.error


def find_sources(track: Track, store: Store, emit: Emit) -> None:
    for kind, source in track.job.sources.items():
        track.looks[kind] = source.look()
        track.sources[kind] = source.digest(store.stat_cache, Meter(kind, emit, track.job.name).advance)


def start_lanes(work: Callable[[], None], jobs: int) -> None:
    """Do the same work in so many threads, and wait for all; the stages run in processes of their own."""
    from joblib import Parallel, delayed  # here, for importing it takes as long as making a plan

    Parallel(n_jobs=jobs, backend="threading")(delayed(work)() for _ in range(jobs))


def run_job(
    job: Job,
    store: Store,
    emit: Emit,
    outcomes: list[Outcome],
    rerun: str | None = None,
    until: str | None = None,
    judge: Callable[[Outcome], None] = allow,
) -> None:
    """Run a job that stands alone, with all of the machine.

    Fills `outcomes` in the order of the stages, and raises what ended it.
    """
    check_names(job, rerun, until)
    track = Track(job, judge, until=until)
    try:
        run_tracks([track], store, emit, Options(Means(count_processors(), find_memory()), rerun))
    finally:
        outcomes.extend(track.outcomes)
    if track.error is not None:
        raise track.error


def check_names(job: Job, rerun: str | None, until: str | None) -> None:
    """Raises UserError unless both name stages that this run reaches."""
    known = [stage.name for stage in job.stages]
    skipped = [stage.name for stage in job.skipped]
    for option, name in (("--rerun", rerun), ("--until", until)):
        if name in skipped:
            raise UserError(f"`{option} {name}`: `{name}` is skipped; leave out one of the two options")
        if name is not None and name not in known:
            raise UserError(f"`{option} {name}`: `{job.name}` has no such stage; it has {quote(known)}")
    if rerun and until and known.index(rerun) > known.index(until):
        raise UserError(f"`--rerun {rerun}`: lies behind `--until {until}`, where the run ends")
