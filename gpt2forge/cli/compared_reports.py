"""The reports that `compare` shows: of saved files, of results that are built, and of results that are built first.

A result that cannot be measured here, because a tool is not installed, is shown from its saved report.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path

from gpt2forge.builder.build import Build, choose_resources, make_build, run_build
from gpt2forge.builder.build_events import BuildEvent, RunFinished
from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import Report, list_keys, load_report, read_report
from gpt2forge.cli import console
from gpt2forge.cli.plan_command import plan_job
from gpt2forge.cli.run_view import RunView
from gpt2forge.errors import RecipeError, UserError, quote
from gpt2forge.executor.events import StepFinished
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, format_blocked, format_needs, list_blocks
from gpt2forge.recipe.load import load_recipes
from gpt2forge.store.roots import find_target
from gpt2forge.store.store import Store

Take = Callable[[Store], Report]
"""Returns a report from a store that is open for reading, or builds it first."""


def take_reports(selectors: Sequence[str], store: Path, skip: Sequence[str]) -> list[Report]:
    """Return the reports that the selectors name, and build those that are missing.

    Raises UserError, before anything is built, if there are fewer than two, or if one can neither be built nor shown.
    """
    # All recipes are checked before the first build begins.
    groups = groupby(selectors, lambda selector: selector.endswith(".json"))
    takes = [take for is_saved, group in groups for take in prepare(list(group), is_saved, skip)]
    if len(takes) < 2:
        raise UserError("`compare` needs two or more results; name another")
    opened = Store(store, is_read_only=True)
    return [take(opened) for take in takes]


def prepare(selectors: Sequence[str], is_saved: bool, skip: Sequence[str]) -> list[Take]:
    """Return a function for each report, which reads the saved report or builds the recipe.

    Raises UserError, once for all recipes, if a recipe can neither be built completely nor be shown from its report.
    """
    if is_saved:
        return [prepare_saved(Path(selector)) for selector in selectors]
    takes: list[Take] = []
    blocked: list[StepsBlocked] = []
    for build in make_builds(selectors, skip):
        blocks = list_blocks(build.job)
        saved = find_saved(build) if blocks else None
        if saved is not None:
            takes.append(prepare_shown(build, saved))
        elif blocks:
            blocked.append(StepsBlocked(build.job, blocks))
        else:
            takes.append(prepare_build(build, skip))
    if blocked:
        raise UserError(*format_blocked(blocked, "compare again", "compare").splitlines())
    return takes


def make_builds(selectors: Sequence[str], skip: Sequence[str]) -> list[Build]:
    """Return the builds of the recipes; a checkpoint that was never fetched is fetched."""
    with RunView() as view:
        fetcher = SourceFetcher(view.show, takes_earlier=True)
        return [make_build(loaded, fetcher=fetcher, skip=skip) for loaded in load_recipes(selectors)]


def prepare_saved(path: Path) -> Take:
    saved = load_report(path)
    return lambda store: saved


def prepare_build(build: Build, skip: Sequence[str]) -> Take:
    # A build that skips a measurement must not publish: `--until` its last step.
    last = build.job.stages[-1].name if skip else None
    options = Options(resources=choose_resources())

    def take(store: Store) -> Report:
        done = find_done(build, store)
        if done is not None:
            return done
        reports: list[Report] = []
        with RunView() as view, suppress(RecipeError):  # a result beyond a limit has a report too
            emit = partial(follow, show=view.show, reports=reports)
            run_build(build, Store(store.root), emit=emit, options=options, until=last)
        return reports[0]

    return take


def find_done(build: Build, store: Store) -> Report | None:
    """Return the saved report of a published result whose steps are all done; None if something must be built."""
    saved = find_saved(build)
    if saved is None:
        return None
    steps, packer = plan_job(build.job, store).steps, build.job.packer
    keys = {step.stage.name: step.key for step in steps if step.verdict == "done"}
    packages = {step.digest for step in steps if step.stage is packer}
    is_done = len(keys) == len(steps) and keys.items() <= list_keys(saved).items()
    if not is_done or find_target(store, BUILD / build.name) != packages:
        return None
    kept = tuple(step for step in saved.steps if step.stage in keys)
    reused = tuple(step.model_copy(update={"outcome": "reused", "reason": ""}) for step in kept)
    return saved.model_copy(update={"steps": reused}).leave_out([stage.name for stage in build.job.skipped])


def find_saved(build: Build) -> Report | None:
    """Return the saved report of a recipe if it describes a published result of the recipe's present values."""
    saved = read_report(name_report(build))
    return saved if saved and saved.error is None and saved.values == build.values else None


def name_report(build: Build) -> Path:
    return BUILD / f"{build.job.name}.json"


def prepare_shown(build: Build, saved: Report) -> Take:
    """Return a function that returns a saved report without the skipped parts.

    The function tells the user that the report is a saved one, and which steps have changed since.
    """

    def take(store: Store) -> Report:
        path = name_report(build)
        console.inform(f"{build.job.name}: shown as saved in {path}: {format_needs(list_blocks(build.job))}")
        changed = list_changed(build, saved, store)
        if changed:
            console.warn(f"{build.job.name}: out of date: {quote(changed)} changed after {path} was saved")
        return saved.leave_out([stage.name for stage in build.job.skipped])

    return take


def list_changed(build: Build, saved: Report, store: Store) -> list[str]:
    """Return the names of the steps whose keys differ from those of the saved report."""
    keys = list_keys(saved)
    steps = [step for step in plan_job(build.job, store).steps if step.key is not None]
    return [step.stage.name for step in steps if keys.get(step.stage.name) != step.key]


def follow(event: BuildEvent, show: Callable[[BuildEvent], None], reports: list[Report]) -> None:
    """Show an event unless it is a reused step, and keep the report."""
    if isinstance(event, RunFinished):
        reports.append(event.report)
    if not (isinstance(event, StepFinished) and event.outcome.outcome == "reused"):
        show(event)
