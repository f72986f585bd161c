"""`gpt2forge build`: builds recipes in one run, and publishes each when it is ready."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from gpt2forge.builder.build import Build, choose_resources, make_build, run_builds
from gpt2forge.builder.fetch_sources import SourceFetcher
from gpt2forge.builder.lockfile import name_lock, write_lock
from gpt2forge.builder.open_store import open_store
from gpt2forge.builder.write_stamp import Finished, Snapshot, take_snapshots, write_selection, write_stamps
from gpt2forge.cli import console
from gpt2forge.cli.options import (
    STORE,
    assume_option,
    json_option,
    recipe_options,
    remote_option,
    skip_option,
    store_option,
)
from gpt2forge.cli.quiet_view import QuietView
from gpt2forge.cli.run_view import JsonView, RunView, make_view
from gpt2forge.cli.store_command import list_outputs, shrink
from gpt2forge.cli.summary import describe_result, make_row, tabulate_reports
from gpt2forge.cli.verbose_view import VerboseView
from gpt2forge.errors import UserError, format_fixable, is_fixable, quote
from gpt2forge.executor.backend import Backend
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, format_blocked
from gpt2forge.plan.from_recipe import Found
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.settings import load_settings
from gpt2forge.stamp import Printed
from gpt2forge.store.store import Pushed, Store
from gpt2forge.units import count, format_size


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The arguments and options of `gpt2forge build`, each under its own name."""

    selectors: Sequence[str]
    changes: Sequence[str]
    name: str | None
    store: Path
    remotes: Sequence[str]
    rerun: str | None
    until: str | None
    skip: Sequence[str]
    assumed: Sequence[str]
    jobs: int | None
    keep_going: bool
    cluster: str | None
    exchange: str | None
    write_lock: bool
    locked: bool
    as_json: bool
    view: type[RunView]

    @property
    def is_plain(self) -> bool:
        """Return whether `gpt2forge build NAME`, without options, asks for the same results."""
        changed = self.changes or self.name or self.skip or self.assumed
        return self.store == STORE and not (changed or self.cluster)

    def open_cluster(self) -> AbstractContextManager[Backend | None]:
        """Connect to the cluster, if one is named."""
        if self.cluster is None:
            return nullcontext()
        from gpt2forge.cluster.exchange import open_exchange
        from gpt2forge.cluster.open_cluster import open_cluster

        exchange = None if self.exchange is None else open_exchange(self.exchange)
        return open_cluster(self.cluster, console.warn, exchange)

    def make_options(self, cluster: Backend | None) -> Options:
        return Options(
            resources=choose_resources(self.jobs), rerun=self.rerun, keep_going=self.keep_going, cluster=cluster
        )

    def check(self) -> None:
        """Raise UserError for options that contradict each other."""
        if self.changes and self.name is None:
            raise UserError("`--set` makes another recipe; name its result with `--name`")
        if self.name is not None and len(self.selectors) > 1:
            raise UserError("`--name` names one result; give one recipe")
        if self.cluster is not None and self.jobs is not None:
            raise UserError("`--jobs` is for steps on this machine; leave it out, the workers of `--cluster` decide")
        if self.exchange is not None and self.cluster is None:
            raise UserError("`--exchange` is for the workers of a cluster; name it with `--cluster`")
        if self.locked and self.assumed:
            raise UserError("`--locked` refuses the keys of steps that `--assume-equivalent` keeps; leave out one")
        if self.write_lock and (self.locked or self.until or self.name or self.assumed):
            raise UserError(
                "`--write-lock` locks a whole recipe, unchanged; "
                "leave out `--locked`, `--until`, `--set`, `--name` and `--assume-equivalent`"
            )


@click.command("build")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@recipe_options
@click.option("--rerun", metavar="STAGE", help="Run this step again even if its result is there.")
@click.option("--until", metavar="STAGE", help="Stop after this step, and publish nothing.")
@skip_option
@click.option("--keep-going", is_flag=True, help="If a recipe fails, build the others. The exit code is still 1.")
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1),
    help="How many steps may run at once. Default: `build.jobs` of the settings, or one for each processor.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Run the steps on the workers of a Dask cluster, whose scheduler is at ADDRESS, as in `tcp://host:8786`.",
)
@click.option(
    "--exchange",
    metavar="ADDRESS",
    help="Workers of `--cluster` share no folder with this machine: files go through this remote level.",
)
@assume_option
@click.option(
    "--write-lock", is_flag=True, help="Write the key and digest of each step to `recipes/NAME.lock`, to commit."
)
@click.option(
    "--locked", is_flag=True, help="If a step differs from the recipe's lock, fail and publish nothing of it."
)
@click.option("-q", "--quiet", is_flag=True, help="Show only warnings and errors, and print the result.")
@click.option("-v", "--verbose", is_flag=True, help="Show each step when it starts, its key and its artifact.")
@store_option
@remote_option
@json_option
def build(
    selectors: tuple[str, ...],
    changes: tuple[str, ...],
    name: str | None,
    rerun: str | None,
    until: str | None,
    skip: Sequence[str],
    keep_going: bool,
    jobs: int | None,
    cluster: str | None,
    exchange: str | None,
    assumed: tuple[str, ...],
    write_lock: bool,
    locked: bool,
    quiet: bool,
    verbose: bool,
    store: Path,
    remotes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Build recipes into build/NAME. Only steps whose inputs or values changed run."""
    build_recipes(
        BuildRequest(
            selectors=selectors,
            changes=changes,
            name=name,
            store=store,
            remotes=remotes,
            rerun=rerun,
            until=until,
            skip=skip,
            assumed=assumed,
            jobs=jobs,
            keep_going=keep_going,
            cluster=cluster,
            exchange=exchange,
            write_lock=write_lock,
            locked=locked,
            as_json=as_json,
            view=choose_view(quiet, verbose),
        )
    )


def choose_view(quiet: bool, verbose: bool) -> type[RunView]:
    """Return the view that `--quiet` or `--verbose` asks for. Raises UserError for both."""
    if quiet and verbose:
        raise UserError("`--quiet` and `--verbose` contradict each other; leave out one")
    return QuietView if quiet else VerboseView if verbose else RunView


def build_recipes(request: BuildRequest) -> None:
    """Build all recipes in one run: a step that several share runs once, and each recipe is published when ready."""
    request.check()
    loaded = load_recipes(request.selectors, request.changes, request.name)
    with request.open_cluster() as cluster:
        build_loaded(loaded, request, cluster)


def build_loaded(loaded: Sequence[LoadedRecipe], request: BuildRequest, cluster: Backend | None) -> None:
    """Build recipes on a cluster, or on this machine, and print their results."""
    with make_view(request.as_json, [each.recipe.name for each in loaded], kind=request.view) as fetch_view:
        builds, refused = make_builds(loaded, request, SourceFetcher(fetch_view.show))
    snapshots = take_snapshots([(each.loaded, each.job) for each in builds]) if request.is_plain else []
    with make_build_view(builds, request) as view:
        store = open_store(request.store, remotes=request.remotes, warn=view.warn)
        pushed = run_builds(builds, store, emit=view.show, options=request.make_options(cluster), until=request.until)
    report_pushed(pushed)
    if request.until is None:
        is_well = not refused and all(each.ended_well for each in builds)
        finish(builds, store, request, snapshots=snapshots, is_well=is_well)
        if not request.as_json:
            print_results(builds, refused)
    elif any(each.ended_well for each in builds):
        console.inform(f"`--until {request.until}`: nothing was published")
    report_failures(builds, refused)


def report_pushed(pushed: Sequence[Pushed]) -> None:
    """Write how much was written to each remote level, to stderr."""
    for each in pushed:
        if each.steps:
            console.inform(f"pushed {count(each.steps, 'step')} to {each.level}, {format_size(each.size)}")


def make_builds(
    loaded: Sequence[LoadedRecipe], request: BuildRequest, fetcher: SourceFetcher
) -> tuple[list[Build], dict[str, UserError]]:
    """Return the builds, and by name the errors of recipes that cannot begin, such as a missing checkpoint.

    Raises UserError with the errors of all these recipes, unless the request is to keep going and others can be built.
    """
    builds, refused, found = [], {}, Found()
    for each in loaded:
        try:
            made = make_build(
                each,
                fetcher=fetcher,
                skip=request.skip,
                locked=request.locked,
                assumed=request.assumed,
                found=found,
            )
            builds.append(made)
        except UserError as error:
            refused[each.recipe.name] = error
    if refused and not (builds and request.keep_going):
        raise UserError(*list_messages(refused))
    return builds, refused


def make_build_view(builds: Sequence[Build], request: BuildRequest) -> RunView | JsonView:
    drafts = [each.job.draft for each in builds if each.job.draft and each.job.reads_draft(request.until)]
    jobs = [*(each.job for each in builds), *drafts]
    names = dict.fromkeys(job.name for job in jobs)
    return make_view(request.as_json, list(names), sum(len(job.all_stages) for job in jobs), request.view)


def finish(
    builds: Sequence[Build], store: Store, request: BuildRequest, *, snapshots: Sequence[Snapshot], is_well: bool
) -> None:
    """Shrink the store if the whole run went well, write locks if asked, and what answers the next build."""
    shrunk = shrink(store, list_outputs(), load_settings()) if is_well else None
    if shrunk:
        console.inform(shrunk)
    for each in builds:
        if request.write_lock and each.report and each.ended_well:
            write_lock(name_lock(each.loaded), each.report.steps, each.report.source, each.job.list_by_processor())
    if request.is_plain:
        write_stamps(list(list_finished(builds, snapshots)), store)
    for selector in request.selectors if is_well and request.is_plain else ():
        write_selection(selector)


def list_finished(builds: Sequence[Build], snapshots: Sequence[Snapshot]) -> Iterator[Finished]:
    """Yield the builds that ended well, with what their next builds print if nothing has changed."""
    for build, snapshot in zip(builds, snapshots, strict=True):
        if (report := build.report) and build.ended_well:
            printed = Printed(list(report.warnings), make_row(report), describe_result(report))
            yield Finished(loaded=build.loaded, job=build.job, steps=report.steps, snapshot=snapshot, printed=printed)


def print_results(builds: Sequence[Build], refused: Collection[str]) -> None:
    """Print the result of a single recipe, unless it failed, or a table with the verdict on each of several.

    `refused` names the recipes that could not begin.
    """
    reports = [each.report for each in builds if each.report]
    if len(builds) + len(refused) > 1:
        console.write(tabulate_reports(reports, refused))
    elif all(each.ended_well for each in builds):
        console.write("".join(map(describe_result, reports)))


def report_failures(builds: Sequence[Build], refused: Mapping[str, UserError]) -> None:
    """Raise the error that ended a build. With several recipes, print each error and name the recipes not built.

    Steps whose tools are not installed are reported once for all recipes.
    """
    failed = {**refused, **{each.name: each.failure for each in builds if each.failure is not None}}
    total = len(builds) + len(refused)
    if failed and total == 1:
        raise next(iter(failed.values()))
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    if blocked and len(blocked) == len(failed):
        raise UserError(*format_blocked(blocked).splitlines())
    for message in list_messages(failed):
        console.report_error(message)
    for error in failed.values():
        if not is_fixable(error):
            raise error
    unbuilt = [each.name for each in builds if each.failure is None and not each.ended_well]
    if unbuilt:
        raise UserError(f"{quote(unbuilt)}: not built, because another recipe failed; `--keep-going` builds the rest")
    if failed:
        raise UserError(f"{len(failed)} of {total} recipes failed: {quote(list(failed))} (see above)")


def list_messages(failed: Mapping[str, BaseException]) -> list[str]:
    """List the lines of all errors that the user can fix, each line once; a line without a place names its recipe.

    Steps whose tools are not installed come last.
    """
    lines: dict[str, None] = {}
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    for name, error in failed.items():
        if isinstance(error, StepsBlocked):
            continue
        if isinstance(error, UserError):
            lines |= dict.fromkeys(str(error).splitlines())
        elif is_fixable(error):
            lines[f"{name}: {format_fixable(error)}"] = None
    return [*lines, *format_blocked(blocked).splitlines()]
