"""What is known of a build before it begins: what it need not make again, and whether it fits on the disk."""

import shutil
from collections.abc import Sequence

from gpt2forge.errors import UserError
from gpt2forge.executor.events import Emit, Meter
from gpt2forge.executor.job_run import Track
from gpt2forge.plan.plan import PlannedStep, make_plan
from gpt2forge.store.store import Store
from gpt2forge.units import format_size


def prepare(tracks: Sequence[Track], store: Store, emit: Emit, rerun: str | None) -> None:
    """Tell each track which artifacts it can do without.

    Raises UserError where the steps that will run leave more than there is room for.
    """
    ahead: dict[str, PlannedStep] = {}
    for track in tracks:
        steps = make_plan(track.job, store, Meter("checkpoint", emit, track.job.name).advance, rerun)
        track.evicted = frozenset(step.stage.name for step in steps if step.is_evicted)
        wanted = [step for step in steps if step.stage in track.stages]
        ahead |= {step.identity: step for step in wanted if step.verdict == "will run"}
    check_room(store, sum(step.estimate.written for step in ahead.values() if step.estimate))


def check_room(store: Store, needed: int) -> None:
    place = next(folder for folder in (store.root.absolute(), *store.root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"{store.root}: this build leaves about {format_size(needed)} there, and {format_size(free)} are free; "
            "make room, or throw away leftovers, and what can be made again: `gpt2forge store gc --max-size SIZE`"
        )
