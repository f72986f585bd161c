"""Exchanges what recipes need with remote levels, without running a step: `store push` and `store pull`."""

from collections.abc import Iterator, Sequence

from gpt2forge.builder.build import VERIFY
from gpt2forge.builder.limits import check_limits
from gpt2forge.builder.pull_needed import Range, make_plans
from gpt2forge.builder.report import read_accuracy
from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit
from gpt2forge.executor.step import make_outcome
from gpt2forge.plan.from_recipe import make_jobs
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.store.store import Pushed, Store


def push_recipes(loaded: Sequence[LoadedRecipe], store: Store, emit: Emit) -> Sequence[Pushed]:
    """Write the steps of recipes to the remote levels.

    Raises UserError if a recipe is not built, or its `verify` has not passed.
    """
    with store.hold():
        plans = make_plans(make_jobs(loaded), store, emit=emit, within=Range())
        for each, plan in zip(loaded, plans, strict=True):
            check_built(each, [step for part in plan.flatten() for step in part.steps], store)
        done = [step for plan in plans for part in plan.flatten() for step in part.steps if step.verdict == "done"]
        return store.push(dict.fromkeys((step.stage.name, str(step.key)) for step in done))


def check_built(loaded: LoadedRecipe, steps: Sequence[PlannedStep], store: Store) -> None:
    """Raise UserError unless every step that makes the result is done, and `verify` has passed."""
    for step in steps:
        name = step.stage.name
        if step.verdict != "done" and (not step.stage.optional or name == VERIFY):
            raise UserError(f"`{loaded.recipe.name}`: `{name}` is not done; build it first: {step.reason}")
        record = store.records.find(name, str(step.key)) if name == VERIFY else None
        accuracy = read_accuracy(make_outcome(record, "reused", "")) if record else None
        if accuracy:
            check_limits(loaded, accuracy)


def pull_recipes(loaded: Sequence[LoadedRecipe], store: Store, emit: Emit) -> Iterator[tuple[str, PlannedStep, str]]:
    """Bring what a build of recipes needs from the remote levels.

    Yield for each step of each recipe its name, the step, and the level that the artifact came from; empty if none.
    """
    with store.hold():
        plans = make_plans(make_jobs(loaded), store, emit=emit, within=Range())
        for plan in (part for each in plans for part in each.flatten()):
            for step in plan.steps:
                yield plan.job.name, step, store.describe_origin(str(step.key))
