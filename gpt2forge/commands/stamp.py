"""Writes what `gpt2forge.current` compares: the stat of all that a build read and made.

1. What was read counts only if its last change is older than this process: then the build has read what is there now.
2. What was made is looked at, found to be what its manifest says, and looked at again.
3. Where either is in doubt no stamp is left, and the next build finds out for itself.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from gpt2forge import current
from gpt2forge.commands.output import BUILD
from gpt2forge.composition import read_chain
from gpt2forge.plan.job import Job
from gpt2forge.recipe import LoadedRecipe
from gpt2forge.store.memo import TICK, identify
from gpt2forge.store.store import Store

Steps = Sequence[Mapping[str, Any]]
"""As a report has them."""

STARTED = time.monotonic_ns() - (time.time_ns() - current.BEGAN)


def leave_stamp(loaded: LoadedRecipe, job: Job, store: Store, steps: Steps, said: current.Said) -> None:
    """Write the stamp of a build that has just succeeded, or remove the one there is."""
    place = Path(current.name_stamp(job.name))
    try:
        time.sleep(TICK / 1e9)  # so that whatever changes from here on has another time than what was made
        read, made = list(list_read(loaded, job)), list(list_made(job, store, steps))
        looks = [current.look(path) for path in (*read, *made)]
        text = current.format_stamp(looks, said)
        if is_settled(read) and is_whole(store, steps) and looks == [current.look(path) for path in (*read, *made)]:
            aside = place.with_suffix(f".{os.getpid()}")
            aside.write_text(text, encoding="utf-8")
            aside.replace(place)
            return
    except (OSError, ValueError):  # something is gone, or named so that no line can hold it
        pass
    with suppress(OSError):
        place.unlink(missing_ok=True)


def list_read(loaded: LoadedRecipe, job: Job) -> Iterator[str]:
    """The recipe with its parents, the sources, our own code, and what says which tools are installed."""
    yield from (f"stat {file}" for file, _ in read_chain(loaded.path))
    for source in job.sources.values():
        yield f"stat {source.path}"
        if source.find is not None:
            yield from (f"stat {source.path / name}" for name in source.find(source.path))
    for folder, folders, files in os.walk(current.PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (f"stat {folder}/{name}" for name in files if name.endswith(".py"))
    for tool in sorted({tool for stage in job.stages for tool in stage.tools}):
        yield from (f"stat {path}" for path in find_metadata(tool))


def find_metadata(tool: str) -> tuple[Path, Path]:
    """The folder that an installer made for a distribution, and the file in it that holds the version.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    found = distribution(tool)
    names = (found.name, re.sub("[-_.]+", "_", found.name))
    for name in (*names, names[-1].lower()):
        folder = Path(str(found.locate_file(f"{name}-{found.version}.dist-info")))
        if folder.is_dir():
            return folder, folder / "METADATA"
    raise ValueError(f"{tool} has no dist-info folder")


def list_made(job: Job, store: Store, steps: Steps) -> Iterator[str]:
    """The link, the report, and of each step its record and its artifact."""
    yield f"link {BUILD / job.name}"
    yield f"stat {BUILD / job.name}.json"
    for step in steps:
        artifact = store.folder(step["digest"])
        yield f"stat {store.root}/records/{step['stage']}/{step['key']}.json"
        yield f"stat {artifact}.json"
        yield from (f"stat {path}" for path in (artifact, *sorted(artifact.rglob("*"))))


def is_settled(read: Sequence[str]) -> bool:
    """Rule 1; a clock that was set meanwhile tells nothing."""
    drift = time.monotonic_ns() - STARTED - (time.time_ns() - current.BEGAN)
    return abs(drift) < TICK and all(
        identify(Path(path.partition(" ")[2])).settles_in(current.BEGAN) == 0 for path in read
    )


def is_whole(store: Store, steps: Steps) -> bool:
    return all(store.is_whole(step["digest"]) for step in steps)
