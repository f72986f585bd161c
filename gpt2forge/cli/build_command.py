"""`gpt2forge build`: run what must run, publish, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.builder.build import Build, choose_resources, make_build, run_builds
from gpt2forge.builder.lockfile import name_lock, write_lock
from gpt2forge.builder.report import Report
from gpt2forge.builder.write_stamp import Seen, leave_stamp, look_at_sources
from gpt2forge.cli import console
from gpt2forge.cli.store_command import list_outputs, shrink
from gpt2forge.cli.summary import describe_numbers, describe_size
from gpt2forge.errors import UserError, format_os_error, is_fixable, quote
from gpt2forge.executor.run import Options
from gpt2forge.plan.blocked import StepsBlocked, tell_blocked
from gpt2forge.recipe.load import LoadedRecipe, load_recipes
from gpt2forge.settings import load_settings
from gpt2forge.store.store import Store

STORE = Path("cache")


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    references: Sequence[str]
    store: Path = STORE
    as_json: bool = False
    changes: Sequence[str] = ()
    name: str | None = None
    rerun: str | None = None
    until: str | None = None
    skip: Sequence[str] = ()
    locked: bool = False
    relock: bool = False
    keep_going: bool = False
    jobs: int | None = None
    assumed: Sequence[str] = ()

    @property
    def is_plain(self) -> bool:
        """Whether `gpt2forge build NAME` would ask for the same."""
        return self.store == STORE and not (self.changes or self.name or self.skip or self.assumed)

    @property
    def options(self) -> Options:
        return Options(resources=choose_resources(self.jobs), rerun=self.rerun, keep_going=self.keep_going)

    def check(self) -> None:
        """Raises UserError for options that make no sense together."""
        if self.changes and self.name is None:
            raise UserError("`--set` makes another recipe: say with `--name` what to publish it as")
        if self.name is not None and len(self.references) > 1:
            raise UserError("`--name` names one result; give one recipe")
        if self.locked and self.assumed:
            raise UserError("`--locked` and `--assume-equivalent`: what is assumed has other keys; leave out one")
        if self.relock and (self.locked or self.until or self.name or self.assumed):
            raise UserError(
                "`--write-lock` locks what a whole recipe comes to as it stands in its file; leave the rest out"
            )


def build(request: Request) -> None:
    """Build the recipes in one run: a step that several share is made once, and each is published when it is ready."""
    request.check()
    loaded = load_recipes(request.references, request.changes, request.name)
    builds, refused = make_builds(loaded, request)
    store = Store(request.store)
    seen = {each.name: look_at_sources(each.loaded, each.job) for each in builds} if request.is_plain else {}
    with make_view(builds, request.as_json) as view:
        run_builds(builds, store, view.show, request.options, request.until)
    is_well = not refused and all(each.ended_well for each in builds)
    shrunk = shrink(store, list_outputs(), load_settings()) if is_well and request.until is None else None
    if shrunk:
        console.say(shrunk)
    for each in builds if request.until is None else ():
        if each.report and each.ended_well:
            leave_result(each, each.report, store, request, seen.get(each.name))
    if request.until is not None and any(each.ended_well for each in builds):
        console.say(f"`--until {request.until}`: nothing was published")
    report_failures(builds, refused)


def make_builds(loaded: Sequence[LoadedRecipe], request: Request) -> tuple[list[Build], dict[str, UserError]]:
    """Return the builds, and by name the recipes that cannot begin, for example because a checkpoint is missing.

    Raises the faults of all of those at once, unless others can be built and the request is to keep going.
    """
    builds, refused = [], {}
    for each in loaded:
        try:
            builds.append(make_build(each, skip=request.skip, locked=request.locked, assumed=request.assumed))
        except UserError as error:
            refused[each.recipe.name] = error
    if refused and not (builds and request.keep_going):
        raise UserError("\n".join(list_messages(refused)))
    return builds, refused


def make_view(builds: Sequence[Build], as_json: bool) -> console.RunView | console.JsonView:
    names = [each.name for each in builds]
    return console.make_view(as_json, names, sum(len(each.job.all_stages) for each in builds))


def leave_result(build: Build, report: Report, store: Store, request: Request, seen: Seen | None) -> None:
    """Print the result of a recipe, and leave the lock and the stamp that later builds compare with."""
    printed = describe_result(report)
    if request.relock:
        write_lock(name_lock(build.loaded), report.steps)
    if seen is not None:
        leave_stamp(build.loaded, build.job, store, report.steps, seen, (list(report.warnings), printed))
    if not request.as_json:
        console.write(printed)


def report_failures(builds: Sequence[Build], refused: Mapping[str, UserError]) -> None:
    """Raise what ended a build; of several recipes report each failure, and which were not built after it.

    Steps whose tools are not installed are reported once for all recipes.
    """
    failed = {**refused, **{each.name: each.failure for each in builds if each.failure is not None}}
    if failed and len(builds) + len(refused) == 1:
        raise next(iter(failed.values()))
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    if blocked and len(blocked) == len(failed):
        raise UserError(tell_blocked(blocked))
    for message in list_messages(failed):
        console.say_error(message)
    for error in failed.values():
        if not is_fixable(error):
            raise error
    unbuilt = [each.name for each in builds if each.failure is None and not each.ended_well]
    if unbuilt:
        raise UserError(f"{quote(unbuilt)}: not built after that; `--keep-going` builds the rest")
    if failed:
        total, names = len(builds) + len(refused), quote(list(failed))
        raise UserError(f"{len(failed)} of {total} recipes failed: {names} (see above)")


def list_messages(failed: Mapping[str, BaseException]) -> list[str]:
    """Each line of what a user can fix once, though several recipes met it; what names no place names the recipe.

    Steps whose tools are not installed come last.
    """
    lines: dict[str, None] = {}
    blocked = [error for error in failed.values() if isinstance(error, StepsBlocked)]
    for name, error in failed.items():
        if isinstance(error, StepsBlocked):
            continue
        if isinstance(error, UserError):
            lines |= dict.fromkeys(str(error).splitlines())
        elif isinstance(error, OSError) and is_fixable(error):
            lines[f"{name}: {format_os_error(error)}"] = None
    return [*lines, *tell_blocked(blocked).splitlines()]


def describe_result(report: Report) -> str:
    """Return the published path with its size, and below it the numbers that were measured."""
    share = f"  {describe_size(report.bytes)}" if report.bytes else ""
    return f"{report.output}{share}\n" + console.align(list(describe_numbers(report)))
