"""Orders: recipes that are built in one run, each published, reported and noted as soon as it is finished."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.builder.build_events import Emit, RunFinished
from gpt2forge.builder.limits import check_context, check_limits
from gpt2forge.builder.lockfile import Lock, name_lock, read_lock
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.publish import publish
from gpt2forge.builder.report import Report, make_report, read_accuracy, read_report, write_report
from gpt2forge.builder.space import prepare
from gpt2forge.builder.warnings import warn_of_few, warn_of_text
from gpt2forge.errors import UserError
from gpt2forge.executor.job_run import Track
from gpt2forge.executor.outcome import Outcome
from gpt2forge.executor.resources import Means, count_processors, find_memory
from gpt2forge.executor.run import Options, check_names, run_tracks
from gpt2forge.executor.step import Step
from gpt2forge.plan.from_recipe import TEXTS, make_job
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.settings import load_settings
from gpt2forge.stages.stage import PACKAGE
from gpt2forge.store.roots import register
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Order:
    """A recipe, the job that it asks for, and what it must come to, where that is locked."""

    loaded: LoadedRecipe
    job: Job
    lock: Lock | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The whole recipe, as JSON."""
        return self.loaded.recipe.model_dump(mode="json")

    def admit(self, step: Step) -> None:
        """Raises RecipeError when a step that is to be made is another than its lock says."""
        if self.lock:
            self.lock.admit(step)

    def judge(self, outcome: Outcome) -> None:
        """Raises RecipeError when a step found what the recipe does not allow, or came out other than it is locked."""
        if self.lock:
            self.lock.check(outcome)
        if "context" in outcome.metrics and any(stage.section == "benchmark" for stage in self.job.stages):
            check_context(self.loaded, outcome.metrics["context"])
        accuracy = read_accuracy(outcome)
        if accuracy:
            check_limits(self.loaded, accuracy)


def make_order(
    loaded: LoadedRecipe, skip: Sequence[str] = (), locked: bool = False, assumed: Sequence[str] = ()
) -> Order:
    return Order(loaded, make_job(loaded, skip, assumed), read_lock(name_lock(loaded)) if locked else None)


@dataclass
class Run:
    """An order on its way; `report` is there once it has ended, well or badly, or the run has ended before it."""

    order: Order
    track: Track
    report: Report | None = None
    is_published: bool = False

    @property
    def ended_well(self) -> bool:
        return self.track.is_whole and self.track.error is None


def choose_means(jobs: int | None = None) -> Means:
    """What `jobs` says, else the settings, else the machine."""
    settings = load_settings().build
    return Means(jobs or settings.jobs or count_processors(), settings.grant(find_memory()))


def build_one(order: Order, store: Store, emit: Emit, options: Options, until: str | None = None) -> Report:
    """Build one recipe, and write its report whatever comes of it; gives the report, or raises what ended it."""
    (run,) = build_orders([order], store, emit, options, until)
    if run.track.error is not None:
        raise run.track.error
    assert run.report is not None
    return run.report


def build_orders(
    orders: Sequence[Order], store: Store, emit: Emit, options: Options, until: str | None = None
) -> list[Run]:
    """Build recipes in one run. What ended one stands in its track; raises what ended all of them."""
    check_outputs(orders)
    for order in orders:
        check_names(order.job, options.rerun, until)
    runs = [begin(order, store, emit, until) for order in orders]
    try:
        with store.hold():
            prepare([run.track for run in runs], store, emit, options.rerun)
            run_tracks([run.track for run in runs], store, emit, options)
    except BaseException as error:
        for run in runs:
            run.track.error = error if run.track.is_open else run.track.error
        raise
    finally:
        for run in runs:
            if run.report is None or run.track.error is not None:
                run.report = report_failure(run)
                emit(RunFinished(run.report))
    return runs


def check_outputs(orders: Sequence[Order]) -> None:
    """Raises UserError where two recipes would be published as one."""
    places: dict[str, Path] = {}
    for order in orders:
        other = places.setdefault(order.job.name, order.loaded.path)
        if other != order.loaded.path:
            raise UserError(f"{order.loaded.path}: is published as `{order.job.name}`, and so is {other}; build one")


def begin(order: Order, store: Store, emit: Emit, until: str | None) -> Run:
    def finish(track: Track) -> None:
        run.report = report_success(run, store)
        emit(RunFinished(run.report))

    run = Run(order, Track(order.job, order.judge, order.admit, finish, until))
    return run


def report_success(run: Run, store: Store) -> Report:
    """Publish what came out, unless the run ends before that; write the report if it tells anything new."""
    order, outcomes = run.order, run.track.outcomes
    output = BUILD / order.job.name
    warnings = list_warnings(order, run.track)
    if run.track.until is not None:
        return make_report(order.values, None, outcomes, warnings, None)
    warnings += keep(store, output, outcomes)
    report = make_report(order.values, output, outcomes, warnings, None)

    def put_out() -> None:
        publish(output, store.folder(find_package(order.job, outcomes)))
        run.is_published = True

    if is_unchanged(report):
        put_out()
    else:
        save(report, put_out)
    return report


def report_failure(run: Run) -> Report:
    outcomes, output = run.track.outcomes, BUILD / run.order.job.name
    said = say_end(run.track.error)
    warnings = list_warnings(run.order, run.track)
    if output.is_symlink() and not run.is_published:
        warnings.append(f"{output}: still is what an earlier build published")
    report = make_report(run.order.values, None, outcomes, warnings, said)
    with suppress(OSError):  # what ended the build says more than a disk that has no room for the report
        save(report)
    return report


def say_end(error: BaseException | None) -> str:
    """What ended a recipe's build; None: another recipe's failure did."""
    if error is None:
        return "not built after another recipe had failed; `--keep-going` does"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__


def keep(store: Store, output: Path, outcomes: Sequence[Outcome]) -> list[str]:
    """Note in the store what an output uses; gives a warning where that cannot be."""
    try:
        register(store, output, output.name, {each.stage: each.digest for each in outcomes if each.digest})
    except OSError as error:
        return [f"{store.root}: {error.strerror}: `gpt2forge store gc` will not know that {output} needs what is there"]
    return []


def list_warnings(order: Order, track: Track) -> list[str]:
    """What makes the numbers say little, where any are measured, or a fit gain little."""
    read = {kind for stage in track.stages for kind in stage.reads}
    used = [section for kind, section in TEXTS.items() if kind in read]
    measured = [accuracy.positions for outcome in track.outcomes if (accuracy := read_accuracy(outcome))]
    return [
        *(warning for section in used for warning in warn_of_text(order.loaded, section)),
        *(warning for count in measured for warning in warn_of_few(order.loaded, count)),
    ]


def find_package(job: Job, outcomes: Sequence[Outcome]) -> str:
    """The digest of what is published."""
    stage = next(stage.name for stage in job.stages if stage.writes == PACKAGE)
    return str(next(outcome.digest for outcome in outcomes if outcome.stage == stage))


def save(report: Report, publish: Callable[[], None] | None = None) -> None:
    write_report(BUILD / f"{report.recipe}.json", report, publish)


def is_unchanged(report: Report) -> bool:
    """Return whether nothing was made and the report on disk holds all of this one."""
    saved = read_report(BUILD / f"{report.recipe}.json")
    return saved is not None and report.repeats(saved)
