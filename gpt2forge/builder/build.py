"""Builds recipes in one run; publishes and reports each recipe as soon as its steps are finished."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.builder.build_events import Emit, RunFinished, RunPlanned
from gpt2forge.builder.expected_time import expect_seconds
from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.limits import check_context, check_limits
from gpt2forge.builder.lockfile import Lock, name_lock, read_lock
from gpt2forge.builder.new_recipe import mark_new
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.publish import hold_outputs, publish
from gpt2forge.builder.pull_needed import Range, make_plans
from gpt2forge.builder.report import Report, SourceReport, make_report, read_accuracy, read_report, write_report
from gpt2forge.builder.space import check_space
from gpt2forge.builder.warnings import list_warnings
from gpt2forge.errors import UserError
from gpt2forge.executor.job_run import JobRun, begin_run
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Resources, find_memory
from gpt2forge.executor.run import Options, check_names, run_jobs
from gpt2forge.fetch.fetched import Fetched
from gpt2forge.plan.from_recipe import Found, make_job
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.processors import count_threads
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.settings import load_settings
from gpt2forge.store.roots import register
from gpt2forge.store.store import Pushed, Store
from gpt2forge.store.temporary import clear_asides

VERIFY = "verify"


@dataclass
class Build:
    """The build of one recipe: its job, its run once that has started, and its report at the end.

    `lock` holds the keys and digests that its steps must have. `fetched` is the checkpoint if it was fetched. `error`
    is the error that ended it before its run.
    """

    loaded: LoadedRecipe
    job: Job
    lock: Lock | None = None
    fetched: Fetched | None = None
    job_run: JobRun | None = None
    report: Report | None = None
    error: BaseException | None = None
    is_published: bool = False

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def output(self) -> Path:
        return BUILD / self.name

    @property
    def values(self) -> dict[str, Any]:
        """The whole recipe, as JSON."""
        return self.loaded.recipe.model_dump(mode="json")

    @property
    def source(self) -> SourceReport | None:
        """The checkpoint as the report names it; None if it was not fetched."""
        return SourceReport(address=self.fetched.address, commit=self.fetched.commit) if self.fetched else None

    @property
    def outcomes(self) -> list[Outcome]:
        return self.job_run.outcomes if self.job_run else []

    @property
    def failure(self) -> BaseException | None:
        """The error that ended this recipe; None if it succeeded, or if another recipe's failure ended the run."""
        return self.error or (self.job_run.error if self.job_run else None)

    @property
    def skips_verify(self) -> bool:
        """Return whether `--skip` left out the step whose numbers the limits are checked against."""
        return any(stage.name == VERIFY for stage in self.job.skipped)

    @property
    def ended_well(self) -> bool:
        """Return whether every step ended without an error."""
        return self.error is None and self.job_run is not None and self.job_run.ended_well


@dataclass(frozen=True)
class BuildChecks:
    """The checks of a recipe's lock and limits on its run. See `Checks`."""

    build: Build
    store: Store
    emit: Emit

    def check_step(self, step: PlannedStep) -> None:
        """Raise RecipeError if the key of a step differs from the lock."""
        if self.build.lock:
            self.build.lock.check_step(step, self.store)

    def check_outcome(self, outcome: Outcome) -> None:
        """Raise RecipeError if an outcome exceeds a limit of the recipe, or its digest differs from the lock."""
        build = self.build
        if build.lock:
            build.lock.check_outcome(outcome)
        if "context" in outcome.metrics and any(stage.section == "benchmark" for stage in build.job.stages):
            check_context(build.loaded, outcome.metrics["context"])
        accuracy = read_accuracy(outcome)
        if accuracy:
            check_limits(build.loaded, accuracy)

    def finish(self, job_run: JobRun) -> None:
        """Publish and report the recipe."""
        self.build.report = report_success(self.build, job_run, self.store)
        self.emit(RunFinished(self.build.report))


def make_build(
    loaded: LoadedRecipe,
    *,
    fetcher: SourceFetcher,
    skip: Sequence[str] = (),
    locked: bool = False,
    assumed: Sequence[str] = (),
    found: Found | None = None,
) -> Build:
    """Make the build of a recipe, and fetch its checkpoint if it names an address; `found` is as for `make_job`.

    Raises UserError if a file that it names, or its lock, is missing, or if the checkpoint cannot be fetched.
    """
    lock = read_lock(name_lock(loaded)) if locked else None
    fetched = fetcher.fetch(loaded, lock)
    return Build(loaded, mark_new(make_job(loaded, skip, assumed, found), loaded), lock, fetched)


def choose_resources(jobs: int | None = None) -> Resources:
    """Return the resources for a run: `jobs` steps at once, else as in the settings, else one per processor."""
    settings = load_settings().build
    return Resources(jobs or settings.jobs or count_threads(), settings.grant(find_memory()))


def run_build(build: Build, store: Store, *, emit: Emit, options: Options, until: str | None = None) -> Report:
    """Build one recipe, write its report in any case, and return it. Raises the error that ended the build."""
    run_builds([build], store, emit=emit, options=options, until=until)
    if build.failure is not None:
        raise build.failure
    assert build.report is not None
    return build.report


def run_builds(
    builds: Sequence[Build], store: Store, *, emit: Emit, options: Options, until: str | None = None
) -> Sequence[Pushed]:
    """Build recipes in one run, and return what was written to remote levels.

    `Build.failure` is the error that ended one; an error that ends all is raised.
    """
    check_outputs(builds)
    for build in builds:
        check_names(build.job, options.rerun, until)
    try:
        with store.hold():
            begin(builds, store, emit=emit, options=options, until=until)
            run_jobs(list_runs(builds), store, emit=emit, options=options)
            return push_builds(builds, store)
    except BaseException as error:
        for build in builds:
            if build.job_run is None or build.job_run.is_open:
                build.error = error
        raise
    finally:
        for build in builds:
            if build.report is None or build.failure is not None:
                build.report = report_failure(build)
                emit(RunFinished(build.report))
        clear_asides(BUILD)


def begin(builds: Sequence[Build], store: Store, *, emit: Emit, options: Options, until: str | None) -> None:
    """Plan every recipe. Raises UserError if the disk has too little space for the steps that will run."""
    jobs, within = [build.job for build in builds], Range(until, options.rerun)
    plans = make_plans(jobs, store, emit=emit, within=within, machine=options.backend.machine)
    for build, plan in zip(builds, plans, strict=True):
        build.job_run = begin_run(plan, BuildChecks(build, store, emit), until)
    job_runs = list_runs(builds)
    check_space(store, job_runs)
    expected = expect_seconds(job_runs)
    if expected:
        emit(RunPlanned(expected))


def list_runs(builds: Sequence[Build]) -> list[JobRun]:
    """Return the runs of the builds that have begun, each behind that of its draft."""
    return [job_run for build in builds if build.job_run for job_run in build.job_run.flatten()]


def push_builds(builds: Sequence[Build], store: Store) -> Sequence[Pushed]:
    """Write the steps of the recipes that were published to the remote levels, unless `verify` was skipped."""
    verified = [build for build in builds if build.is_published and not build.skips_verify]
    outcomes = [outcome for each in list_runs(verified) for outcome in each.outcomes]
    steps = {(each.stage, str(each.key)): None for each in outcomes if each.digest}
    return store.push(steps)


def check_outputs(builds: Sequence[Build]) -> None:
    """Raise UserError if two recipes would be published under the same name."""
    places: dict[str, Path] = {}
    for build in builds:
        other = places.setdefault(build.name, build.loaded.path)
        if other != build.loaded.path:
            raise UserError(f"{build.loaded.path}: is published as `{build.name}`, and so is {other}; build one")


def list_notes(build: Build) -> list[str]:
    """List what a user should know of how the checkpoint was found."""
    source = build.job.sources.get("checkpoint")
    return [*(build.fetched.notes if build.fetched else ()), *(source.notes if source else ())]


def report_success(build: Build, job_run: JobRun, store: Store) -> Report:
    """Publish the package and write the report, unless the run ends before that; return the report."""
    outcomes, output, source = job_run.outcomes, build.output, build.source
    warnings = list_warnings(build.loaded, job_run.stages, outcomes, list_notes(build))
    if job_run.until is not None:
        return make_report(build.values, None, outcomes=outcomes, warnings=warnings, error=None, source=source)
    package = str(job_run.package)
    warnings += keep(store, output, job_run, package)
    report = make_report(build.values, output, outcomes=outcomes, warnings=warnings, error=None, source=source)

    def publish_package() -> None:
        publish(output, store.artifacts.folder(package))
        build.is_published = True

    with hold_outputs(BUILD):
        if is_unchanged(report):
            publish_package()
        else:
            save(report, publish_package)
    return report


def report_failure(build: Build) -> Report:
    """Write the report of a recipe that was not built, and return it."""
    stages = build.job_run.stages if build.job_run else ()
    warnings = list_warnings(build.loaded, stages, build.outcomes, list_notes(build))
    if build.output.is_symlink() and not build.is_published:
        warnings.append(f"{build.output}: still points to an earlier build's result")
    report = make_report(
        build.values,
        None,
        outcomes=build.outcomes,
        warnings=warnings,
        error=describe_end(build.failure),
        source=build.source,
    )
    with suppress(OSError), hold_outputs(BUILD):  # the error that ended the build matters more than a full disk here
        save(report)
    return report


def describe_end(error: BaseException | None) -> str:
    """Describe the error that ended a recipe; None means that another recipe's failure ended it."""
    if error is None:
        return "not built after another recipe had failed; `--keep-going` builds it"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__


def keep(store: Store, output: Path, job_run: JobRun, package: str) -> list[str]:
    """Record in the store which artifacts an output uses, those of its draft too; return a warning if that fails."""
    try:
        steps = {each.stage: each.digest for each in job_run.outcomes if each.digest}
        drafted = job_run.draft.outcomes if job_run.draft else ()
        steps |= {f"draft {each.stage}": each.digest for each in drafted if each.digest}
        register(store, output, recipe=output.name, steps=steps, package=package)
    except OSError as error:
        return [f"{store.root}: {error.strerror}: `gpt2forge store gc` will not know that {output} needs its artifacts"]
    return []


def save(report: Report, publish: Callable[[], None] | None = None) -> None:
    """Write a report beside the output. `publish` is called as in `write_report`."""
    write_report(BUILD / f"{report.recipe}.json", report, publish)


def is_unchanged(report: Report) -> bool:
    """Return whether every step was reused and the report on disk holds the same values."""
    saved = read_report(BUILD / f"{report.recipe}.json")
    return saved is not None and report.repeats(saved)
