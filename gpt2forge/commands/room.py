"""Foretells a full disk: a build that cannot fit does not begin."""

import shutil
from collections.abc import Iterable, Sequence

from gpt2forge import console
from gpt2forge.errors import UserError
from gpt2forge.executor.track import Track
from gpt2forge.plan.plan import PlannedStep, make_plan
from gpt2forge.progress import Emit, Meter
from gpt2forge.store.store import Store


def check_room(tracks: Sequence[Track], store: Store, emit: Emit) -> None:
    """Raises UserError where the steps that will run leave more than there is room for."""
    needed = sum(step.estimate.written for step in list_steps(tracks, store, emit) if step.estimate)
    place = next(folder for folder in (store.root.absolute(), *store.root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"{store.root}: this build leaves about {console.size(needed)} there, and {console.size(free)} are free; "
            "make room, or throw away what can be made again: `gpt2forge store gc --max-size SIZE`"
        )


def list_steps(tracks: Sequence[Track], store: Store, emit: Emit) -> Iterable[PlannedStep]:
    """Every step that will run, once however many recipes share it."""
    steps = {}
    for track in tracks:
        names = [stage.name for stage in track.stages]
        for step in make_plan(track.job, store, Meter("checkpoint", emit, track.job.name).advance):
            if step.verdict == "will run" and step.stage.name in names:
                steps[step.identity] = step
    return steps.values()
