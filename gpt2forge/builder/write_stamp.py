"""Writes the stamp that `gpt2forge.stamp` compares: the stats of all that a build read and made.

1. Before a build is planned, all that it will read is looked at, then the recipe is read again. After the build all of
   that is looked at again. A stamp is left only if the recipe is the same and the looks are equal: so nothing that the
   build read has changed since before it was planned.
2. Nothing that changed within a tick of the clock before the first look counts: it might change again unseen.
3. Where anything is in doubt no stamp is left, and the next build finds out for itself.
"""

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gpt2forge import stamp
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import StepReport
from gpt2forge.errors import Fault, UserError
from gpt2forge.plan.job import Job
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.recipe.lookup import RECIPES, find_recipes
from gpt2forge.recipe.merge import read_chain
from gpt2forge.store.artifacts import name_evicted
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.roots import name_root
from gpt2forge.store.stat_cache import TICK, read_stat
from gpt2forge.store.store import Store

SETTINGS = "gpt2forge.yaml"

Steps = Sequence[StepReport]


@dataclass(frozen=True)
class Seen:
    """All that a build reads, as it was before the build was planned; `is_settled` by rules 1 and 2."""

    paths: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    is_settled: bool = False


def look_at_sources(loaded: LoadedRecipe, job: Job) -> Seen:
    """Look at all that a build will read, before it is planned, by rules 1 to 3."""
    is_named = loaded.recipe.name == loaded.own_name and loaded.path == RECIPES / f"{loaded.path.stem}.yaml"
    if not is_named:
        return Seen()
    began = time.time_ns()
    try:
        paths = tuple(list_read(loaded, job))
        looks = tuple(stamp.look(path) for path in paths)
        again = load_recipe(loaded.own_name)
        is_same = (again.recipe, again.path) == (loaded.recipe, loaded.path)
        return Seen(paths, looks, is_same and is_settled(paths, began))
    except (OSError, ValueError, UserError):  # something is gone, or named so that no line can hold it
        return Seen()


def leave_stamp(loaded: LoadedRecipe, job: Job, store: Store, steps: Steps, seen: Seen, said: stamp.Said) -> None:
    """Write the stamp of a build that has just succeeded, or remove the one there is."""
    place = Path(stamp.name_stamp(loaded.recipe.name))
    try:
        text = make_stamp(job, store, steps, seen, said)
        if text is not None:
            replace_text(place, text)
            if loaded.selected.variant:
                leave_variants(loaded.path)
            return
    except (OSError, ValueError, UserError):  # something is gone, or named so that no line can hold it
        pass
    with suppress(OSError):
        place.unlink(missing_ok=True)


def leave_variants(recipe: Path) -> None:
    """Write which variants a recipe has, in the form of a stamp of the files that say so: rules 1 and 2."""
    faults: list[Fault] = []
    paths, began = list_files(recipe), time.time_ns()
    looks = [stamp.look(path) for path in paths]
    names = [found.name for found in find_recipes([recipe.stem], faults)]
    if not faults and is_settled(paths, began) and looks == [stamp.look(path) for path in paths]:
        replace_text(Path(stamp.name_variants(recipe.stem)), stamp.format_stamp(looks, (names, "")))


def list_files(recipe: Path) -> list[str]:
    return [f"stat {file}" for file, _ in read_chain(recipe)]


def make_stamp(job: Job, store: Store, steps: Steps, seen: Seen, said: stamp.Said) -> str | None:
    """Return the text of a stamp by rules 1 and 2; None where it would not be true."""
    if not seen.is_settled:
        return None
    time.sleep(TICK / 1e9)  # what the build wrote last must be settled too
    began, made = time.time_ns(), list(list_made(job, store, steps))
    looks = [stamp.look(path) for path in made]
    is_whole = all(is_kept(store, step) for step in steps) and is_settled(made, began)
    is_same = [stamp.look(path) for path in (*seen.paths, *made)] == [*seen.looks, *looks]
    return stamp.format_stamp([*seen.looks, *looks], said) if is_whole and is_same else None


def is_kept(store: Store, step: StepReport) -> bool:
    """Return whether the artifact of a step is whole, or was removed to make room."""
    record = store.find(step.stage, str(step.key)) or store.find_evicted(step.stage, str(step.key))
    return record is not None and record.digest == step.digest


def is_settled(paths: Sequence[str], began: int) -> bool:
    """Rule 2."""
    places = (Path(path.partition(" ")[2]) for path in paths if not path.startswith("link "))
    return all(read_stat(place).settles_in(began) == 0 for place in places if place.exists())


def list_read(loaded: LoadedRecipe, job: Job) -> Iterator[str]:
    """The recipe with its parents, the settings, the sources, our own code, and what says which tools are installed."""
    if loaded.selected.variant:
        yield f"may {RECIPES / loaded.own_name}.yaml"  # a file of its name would come first
    yield from list_files(loaded.path)
    yield f"may {SETTINGS}"
    for source in job.sources.values():
        yield f"stat {source.path}"
        if source.find is not None:  # all names there have a say in what is found
            yield from (f"may {source.path / name}" for name in sorted(path.name for path in source.path.iterdir()))
    for folder, folders, files in os.walk(stamp.PACKAGE, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (f"may {folder}/{name}" for name in (*files, *folders) if not name.endswith(".pyc"))
    yield from (f"may {place}" for place in stamp.list_places())
    for tool in sorted({tool for stage in job.stages for tool in stage.tools}):
        yield from (f"stat {path}" for path in find_metadata(tool))


def find_metadata(tool: str) -> tuple[Path, Path]:
    """The folder that an installer made for a distribution, and the file in it that holds the version.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    try:
        found = distribution(tool)
    except PackageNotFoundError as error:
        raise ValueError(f"{tool} is not installed") from error
    names = (found.name, re.sub("[-_.]+", "_", found.name))
    for name in (*names, names[-1].lower()):
        folder = Path(str(found.locate_file(f"{name}-{found.version}.dist-info")))
        if folder.is_dir():
            return folder, folder / "METADATA"
    raise ValueError(f"{tool} has no dist-info folder")


def list_made(job: Job, store: Store, steps: Steps) -> Iterator[str]:
    """The link and where it leads, the report, what keeps the output, and of each step its record and its artifact."""
    output = BUILD / job.name
    yield from (f"link {output}", f"stat {output}", f"stat {output}.json", f"stat {name_root(store, output)}")
    for step in steps:
        artifact = store.artifacts.folder(str(step.digest))
        yield f"stat {store.root}/records/{step.stage}/{step.key}.json"
        if store.artifacts.is_evicted(str(step.digest)):
            yield from (f"may {artifact}", f"stat {name_evicted(artifact)}")
            continue
        yield f"stat {artifact}.json"
        yield from (f"stat {path}" for path in (artifact, *sorted(artifact.rglob("*"))))
