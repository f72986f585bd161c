"""`gpt2forge plan`: shows what a build would do, and why."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from gpt2forge.builder.new_recipe import mark_new
from gpt2forge.cli import console
from gpt2forge.cli.options import assume_option, json_option, recipe_options, skip_option, store_option
from gpt2forge.cli.progress_view import ProgressView
from gpt2forge.errors import quote
from gpt2forge.executor.events import Meter
from gpt2forge.plan.blocked import StepsBlocked, format_blocked
from gpt2forge.plan.equivalents import list_tools
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import Plan, PlannedStep, Verdict, make_plan, unite
from gpt2forge.plan.readings import Readings
from gpt2forge.recipe.load import load_recipes
from gpt2forge.store.store import Store
from gpt2forge.units import count, format_size

Planned = tuple[Job, Sequence[PlannedStep]]

VERDICTS = {"done": "cyan", "will run": "green", "may run": "yellow", "cannot run": "red"}
"""The colour of each verdict."""


@click.command("plan")
@click.argument("selectors", metavar="RECIPE...", nargs=-1, required=True)
@recipe_options
@skip_option
@assume_option
@store_option
@json_option
def plan(
    selectors: tuple[str, ...],
    changes: tuple[str, ...],
    name: str | None,
    skip: Sequence[str],
    assumed: tuple[str, ...],
    store: Path,
    as_json: bool,
) -> None:
    """Show what a build would do, and why."""
    loaded = load_recipes(selectors, changes, name)
    jobs = [mark_new(*each) for each in zip(make_jobs(loaded, skip, assumed), loaded, strict=True)]
    opened = Store(store, is_read_only=True)
    made = list(list_plans(plan_jobs(jobs, opened)))
    plans = list(zip([each.job for each in made], unite([each.steps for each in made]), strict=True))
    owners = find_owners(plans)
    if as_json:
        for job, steps in plans:
            console.write_json({"recipe": job.name, "steps": [describe_step(job, step, owners) for step in steps]})
        return
    console.write_rows([row for each in plans for row in tabulate(each, owners, len(plans) > 1)], VERDICTS)
    for line in sum_up(plans):
        console.inform(line)


def plan_job(job: Job, store: Store) -> Plan:
    """Plan a single job, as `plan_jobs` does."""
    return plan_jobs([job], store)[0]


def plan_jobs(jobs: Sequence[Job], store: Store) -> list[Plan]:
    """Plan jobs together, and show progress while a checkpoint is hashed."""
    readings = Readings(store)
    with ProgressView() as view:
        return [make_plan(job, readings, Meter("checkpoint", view.show).advance) for job in jobs]


def list_plans(plans: Sequence[Plan]) -> Iterator[Plan]:
    """Yield each plan, behind that of its draft unless other plans have all steps of that."""
    known = {step.identity for plan in plans for step in plan.steps}
    for plan in plans:
        for each in plan.flatten():
            if each is plan or not known.issuperset(step.identity for step in each.steps):
                yield each
            known.update(step.identity for step in each.steps)


def find_owners(plans: Sequence[Planned]) -> dict[str, str]:
    """Return the name of the first recipe that has each step, by the step's identity."""
    return {step.identity: job.name for job, steps in reversed(plans) for step in steps}


def find_owner(job: Job, step: PlannedStep, owners: dict[str, str]) -> str | None:
    """Return the name of the earlier recipe that has the same step, or None."""
    owner = owners[step.identity]
    return None if owner == job.name else owner


def describe_step(job: Job, step: PlannedStep, owners: dict[str, str]) -> dict[str, object]:
    return {**step.to_json(), "shared_with": find_owner(job, step, owners)}


def tabulate(planned: Planned, owners: dict[str, str], with_recipe: bool) -> Iterator[tuple[str, ...]]:
    """Yield a row for each step: verdict, recipe if there are several, stage, estimate and reason."""
    job, steps = planned
    for step in steps:
        owner = find_owner(job, step, owners)
        is_shared = owner is not None and step.verdict != "done"
        cells = ("", f"shared with `{owner}`") if is_shared else (format_estimate(step), step.reason)
        yield (step.verdict, *((job.name,) if with_recipe else ()), step.stage.name, *cells)


def format_estimate(step: PlannedStep) -> str:
    """Format the time, disk space and memory of a step that will or may run."""
    if step.estimate is None or step.verdict in ("done", "cannot run"):
        return ""
    seconds = "" if step.estimate.seconds is None else f"~{step.estimate.seconds:.1f} s, "
    return f"{seconds}{format_size(step.estimate.written)}, {format_size(step.estimate.memory)} of memory"


def sum_up(plans: Sequence[Planned]) -> Iterator[str]:
    """Yield what the plans cost together, what `--assume-equivalent` would keep, and which steps cannot run."""
    if all(step.verdict == "done" for _, steps in plans for step in steps):
        yield "nothing to make: every step is done"
    will_run, may_run = (list_distinct(plans, verdict) for verdict in ("will run", "may run"))
    yield from sum_up_costs(will_run, may_run)
    upgraded = find_upgraded(will_run)
    if upgraded:
        yield f"{quote(upgraded)}: only the version changed; `{assume(upgraded)}` keeps what the earlier version made"
    yield from sum_up_blocked(plans)


def list_distinct(plans: Sequence[Planned], verdict: Verdict) -> list[PlannedStep]:
    """List the steps with this verdict; a step that several recipes share once."""
    return list({step.identity: step for _, steps in plans for step in steps if step.verdict == verdict}.values())


def sum_up_costs(will_run: Sequence[PlannedStep], may_run: Sequence[PlannedStep]) -> Iterator[str]:
    """Yield one line with the time and disk space of all steps that will or may run, if any."""
    if not will_run and not may_run:
        return
    seconds = [[step.estimate.seconds if step.estimate else None for step in steps] for steps in (will_run, may_run)]
    size = sum(step.estimate.written for step in will_run if step.estimate)
    written = f", {format_size(size)} on the disk" if will_run else ""
    yield f"{count_steps(len(will_run), len(may_run))}: {format_range(*seconds)}{written}"


def count_steps(will_run: int, may_run: int) -> str:
    """Return how many steps will and may run."""
    if not will_run:
        return f"{count(may_run, 'step')} may run"
    return f"{count(will_run, 'step')} will run" + (f", {may_run} may" if may_run else "")


def format_range(will_run: Sequence[float | None], may_run: Sequence[float | None]) -> str:
    """Format the seconds of the steps that will run, and of these with those that may; None if a step never ran."""
    least = sum(seconds or 0 for seconds in will_run)
    most = least + sum(seconds or 0 for seconds in may_run)
    known = [seconds for seconds in (*will_run, *may_run) if seconds is not None]
    if not known:
        return "time unknown"
    unknown = len(will_run) + len(may_run) - len(known)
    first = f"~{least:.1f} s, " if will_run and least else ""
    text = f"{first}up to {most:.1f} s" if most > least else f"~{least:.1f} s"
    return text + (f" without {unknown} that never ran" if unknown else "")


def sum_up_blocked(plans: Sequence[Planned]) -> Iterator[str]:
    """Yield which steps cannot run, how to fix that, and which options keep what was made earlier."""
    blocked = [(job, [step for step in steps if step.block]) for job, steps in plans]
    errors = [StepsBlocked(job, [step.block for step in steps if step.block]) for job, steps in blocked if steps]
    yield from format_blocked(errors, "build").splitlines()
    tools = find_upgraded(step for _, steps in blocked for step in steps if step.block and step.block.tools)
    if tools:
        yield f"{quote(tools)}: `{assume(tools)}` keeps what was made while they were installed"


def assume(tools: Sequence[str]) -> str:
    """Format the options that keep what other versions of these tools made."""
    return " ".join(f"--assume-equivalent {tool}" for tool in tools)


def find_upgraded(steps: Iterable[PlannedStep]) -> list[str]:
    """Return the tools whose new version is the only reason why steps that do not measure are not reused."""
    made = [
        (step.nearest.record.pre_image, step.pre_image) for step in steps if step.nearest and not step.stage.optional
    ]
    return sorted({tool for old, new in made for tool in list_tools(old, new)})
