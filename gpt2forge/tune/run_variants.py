"""Runs the steps of several recipes in one run, as a build does, and publishes nothing."""

from collections.abc import Sequence

from gpt2forge.builder.build import choose_resources
from gpt2forge.builder.report import Report, make_report
from gpt2forge.builder.space import check_space
from gpt2forge.executor.events import Emit, Meter
from gpt2forge.executor.job_run import JobRun
from gpt2forge.executor.run import Options, run_jobs
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import make_plan
from gpt2forge.plan.readings import Readings
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.store.store import Store


def run_variants(recipes: Sequence[LoadedRecipe], store: Store, emit: Emit) -> list[Report]:
    """Measure recipes, and return the report of each; steps that they share run once, and limits are not checked.

    The report of a recipe that failed has an `error`. Raises the error of the first recipe, which the others are
    compared with.
    """
    runs = run_unpublished(make_jobs(each.leave_out("generation") for each in recipes), store, emit)
    return [report_run(each, run) for each, run in zip(recipes, runs, strict=True)]


def run_unpublished(jobs: Sequence[Job], store: Store, emit: Emit) -> list[JobRun]:
    """Run every step of jobs; the store keeps the results. Raises the error of the first job if it failed."""
    with store.hold():
        readings = Readings(store)
        runs = [JobRun(make_plan(job, readings, Meter("checkpoint", emit, job.name).advance)) for job in jobs]
        check_space(store, runs)
        run_jobs(runs, store, emit=emit, options=Options(resources=choose_resources(), keep_going=True))
    if runs and runs[0].error is not None:
        raise runs[0].error
    return runs


def report_run(loaded: LoadedRecipe, run: JobRun) -> Report:
    """Return the report of a recipe whose run has ended."""
    error = None if run.error is None else str(run.error) or type(run.error).__name__
    values = loaded.recipe.model_dump(mode="json")
    return make_report(values, None, outcomes=run.outcomes, warnings=(), error=error)
