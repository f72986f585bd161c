"""`gpt2forge plan`: what a build would do, and why."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gpt2forge.cli import console
from gpt2forge.errors import quote
from gpt2forge.executor.events import Meter
from gpt2forge.plan.blocked import StepsBlocked, tell_blocked
from gpt2forge.plan.equivalents import list_tools
from gpt2forge.plan.from_recipe import make_job
from gpt2forge.plan.job import Job
from gpt2forge.plan.plan import Plan, PlannedStep, make_plan, unite
from gpt2forge.recipe.load import load_recipes
from gpt2forge.store.store import Store
from gpt2forge.units import format_size

Planned = tuple[Job, Sequence[PlannedStep]]


def plan(
    references: Sequence[str],
    store: Path,
    as_json: bool,
    changes: Sequence[str],
    name: str | None,
    skip: Sequence[str],
    assumed: Sequence[str],
) -> None:
    """Write one line a step on stdout: done, will run, may run or cannot run, and why; as JSON one object a recipe."""
    jobs = [make_job(loaded, skip, assumed) for loaded in load_recipes(references, changes, name)]
    opened = Store(store, is_read_only=True)
    plans = list(zip(jobs, unite([look_up(job, opened).steps for job in jobs]), strict=True))
    owners = find_owners(plans)
    if as_json:
        for job, steps in plans:
            console.write_json({"recipe": job.name, "steps": [describe(job, step, owners) for step in steps]})
        return
    console.write_rows(
        [tell(job, step, owners, len(plans)) for job, steps in plans for step in steps], console.VERDICTS
    )
    for line in sum_up(plans):
        console.say(line)


def look_up(job: Job, store: Store) -> Plan:
    """The plan of a job; shows how far it is where a checkpoint must be hashed."""
    with console.RunView() as view:
        return make_plan(job, store, Meter("checkpoint", view.show).advance)


def find_owners(plans: Sequence[Planned]) -> dict[str, str]:
    """The first recipe that each step belongs to, by the step's identity."""
    return {step.identity: job.name for job, steps in reversed(plans) for step in steps}


def find_owner(job: Job, step: PlannedStep, owners: dict[str, str]) -> str | None:
    """The recipe whose step this one is too; None where it is its own."""
    owner = owners[step.identity]
    return None if owner == job.name else owner


def describe(job: Job, step: PlannedStep, owners: dict[str, str]) -> dict[str, object]:
    return {**step.to_json(), "shared_with": find_owner(job, step, owners)}


def tell(job: Job, step: PlannedStep, owners: dict[str, str], count: int) -> tuple[str, ...]:
    owner = find_owner(job, step, owners)
    is_shared = owner is not None and step.verdict != "done"
    recipe = (job.name,) if count > 1 else ()
    cells = ("", f"shared with `{owner}`") if is_shared else (foretell(step), step.reason)
    return (step.verdict, *recipe, step.stage.name, *cells)


def foretell(step: PlannedStep) -> str:
    """Describe a step that can run: its time, its bytes on the disk and its memory."""
    if step.estimate is None or step.verdict in ("done", "cannot run"):
        return ""
    seconds = "" if step.estimate.seconds is None else f"~{step.estimate.seconds:.1f} s, "
    return f"{seconds}{format_size(step.estimate.written)}, {format_size(step.estimate.memory)} of memory"


def sum_up(plans: Sequence[Planned]) -> Iterator[str]:
    """Sum up the plans: what they take, each step once; what an upgrade makes anew; and what cannot run."""
    if all(step.verdict == "done" for _, steps in plans for step in steps):
        yield "nothing to make: every step is done"
    steps = {step.identity: step for _, steps in plans for step in steps if step.verdict == "will run"}.values()
    expected = [step.estimate for step in steps if step.estimate]
    if expected:
        known = [each.seconds for each in expected if each.seconds is not None]
        about = f"~{sum(known):.1f} s" if known else "time unknown"
        if known and len(known) < len(expected):
            about += f" and what {len(expected) - len(known)} of them take that were never made"
        size = format_size(sum(each.written for each in expected))
        yield f"{len(expected)} step{'s' * (len(expected) > 1)} will run: {about}, {size} on the disk"
    upgraded = find_upgraded(steps)
    if upgraded:
        yield f"{quote(upgraded)}: only the version changed; `{assume(upgraded)}` keeps what the earlier one made"
    yield from sum_up_blocked(plans)


def sum_up_blocked(plans: Sequence[Planned]) -> Iterator[str]:
    """Which steps cannot run, what to do about that, and whether it helps to keep what was made earlier."""
    blocked = [(job, [step for step in steps if step.block]) for job, steps in plans]
    errors = [StepsBlocked(job, [step.block for step in steps if step.block]) for job, steps in blocked if steps]
    yield from tell_blocked(errors, "build").splitlines()
    tools = find_upgraded(step for _, steps in blocked for step in steps if step.block and step.block.tools)
    if tools:
        yield f"{quote(tools)}: `{assume(tools)}` keeps what was made while they were installed"


def assume(tools: Sequence[str]) -> str:
    return " ".join(f"--assume-equivalent {tool}" for tool in tools)


def find_upgraded(steps: Iterable[PlannedStep]) -> list[str]:
    """The tools that are the only reason why steps that make something are not reused."""
    made = [
        (step.nearest.record.pre_image, step.pre_image) for step in steps if step.nearest and not step.stage.optional
    ]
    return sorted({tool for old, new in made for tool in list_tools(old, new)})
