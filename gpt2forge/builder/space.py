"""Checks the disk space that a build needs, before it starts."""

import shutil
from collections.abc import Sequence

from gpt2forge.errors import UserError
from gpt2forge.executor.job_run import JobRun
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.store.store import Store
from gpt2forge.units import format_size


def check_space(store: Store, job_runs: Sequence[JobRun]) -> None:
    """Raise UserError if the steps that will run, each counted once, write more bytes than are free."""
    pending: dict[str, PlannedStep] = {}
    for job_run in job_runs:
        wanted = [step for step in job_run.plan.steps if step.stage in job_run.stages]
        pending |= {step.identity: step for step in wanted if step.verdict == "will run"}
    needed = sum(step.estimate.written for step in pending.values() if step.estimate)
    place = next(folder for folder in (store.root.absolute(), *store.root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"{store.root}: this build writes about {format_size(needed)}, but only {format_size(free)} are free; "
            "free some space, or remove artifacts that can be built again: `gpt2forge store gc --max-size SIZE`"
        )
