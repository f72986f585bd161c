"""Makes toy jobs and runs them."""

from pathlib import Path

from gpt2forge.executor.events import Event
from gpt2forge.executor.job_run import Checks, JobRun, NoChecks
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.run import run_job
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.plan.source import Source
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.store.store import Store
from tests.toy import gather, pack, repeat
from tests.toy.sections import Packing, Repetition

STAGES = (gather.STAGE, repeat.STAGE, pack.STAGE)


def make_job(folder: Path, times: int = 2, end: str = "fine", upper: bool = False, cpu: str = "any") -> Job:
    """Return a job whose source is `folder`, with one file in it if it is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        (folder / "a").write_text("hello ")
    sections = {
        "repetition": Repetition.model_validate({"times": times, "end": end}),
        "packing": Packing(upper=upper),
    }
    target = TargetSection.model_validate({"device": "cpu", "cpu": cpu})
    sources = {"checkpoint": Source(folder, list_files)}
    return Job(name="toy", stages=STAGES, sections=sections, target=target, sources=sources)


def list_files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in folder.iterdir()))


def begin(
    job: Job, store: Store, checks: Checks | None = None, until: str | None = None, rerun: str | None = None
) -> JobRun:
    """Plan a job, to run it together with others."""
    return JobRun(
        make_plan(job, Readings(store), lambda done, total, unit: None, rerun=rerun), checks or NoChecks(), until
    )


def run(job: Job, store: Store, rerun: str | None = None, until: str | None = None) -> list[Outcome]:
    """Run a job alone; return its outcomes or raise the error that ended it."""
    events: list[Event] = []
    done = run_job(job, store, events.append, rerun=rerun, until=until)
    if done.error is not None:
        raise done.error
    return done.outcomes


def words(outcomes: list[Outcome]) -> list[str]:
    return [outcome.outcome for outcome in outcomes]
