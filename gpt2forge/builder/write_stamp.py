"""Writes the stamps that `gpt2forge.stamp` compares: the stats of everything that a build read and made.

1. Before a build is planned, `take_snapshot` notes the stats of everything that it will read; then it loads the recipe
   again. After the build the stats are noted again. A stamp is written only if the recipe and the stats are equal:
   then nothing that the build read has changed since before it was planned.
2. A file that changed less than a clock tick before the first stats prevents a stamp: it may change again unseen.
3. A recipe whose checkpoint is a branch or a tag elsewhere gets no stamp: each build asks which commit that is now.
4. In any doubt no stamp is written, and the next build runs as usual.
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
from gpt2forge.fetch.address import parse_address
from gpt2forge.plan.job import Job
from gpt2forge.recipe.draft_recipe import load_draft
from gpt2forge.recipe.load import LoadedRecipe, load_recipe
from gpt2forge.recipe.lookup import SelectedRecipe, find_deciding, find_recipes, locate
from gpt2forge.recipe.merge import read_chain
from gpt2forge.recipe.project import SETTINGS, list_candidates
from gpt2forge.store.artifacts import name_evicted
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.roots import name_root
from gpt2forge.store.stat_cache import TICK, read_stat
from gpt2forge.store.store import Store

Steps = Sequence[StepReport]


@dataclass(frozen=True)
class Snapshot:
    """The stats of everything that a build reads, from before it was planned; `is_settled` by rules 1 and 2."""

    paths: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    is_settled: bool = False


def take_snapshot(loaded: LoadedRecipe, job: Job) -> Snapshot:
    """Note the stats of everything that a build will read, before it is planned (rules 1 to 4)."""
    if loaded.recipe.name != loaded.own_name:
        return Snapshot()
    began = time.time_ns()
    try:
        if not has_fixed_source(loaded):
            return Snapshot()
        draft = load_draft(loaded)
        paths = tuple(dict.fromkeys([*list_read(loaded, job), *(list_read_of_draft(draft, job) if draft else ())]))
        stats = tuple(stamp.format_stat(path) for path in paths)
        again = load_recipe(name_again(loaded))
        is_same = (again.recipe, again.path) == (loaded.recipe, loaded.path) and makes_same(load_draft(again), job)
        return Snapshot(paths, stats, is_same and is_settled(paths, began))
    except (OSError, ValueError, UserError):  # a file is gone, or its name has several lines
        return Snapshot()


def has_fixed_source(loaded: LoadedRecipe) -> bool:
    """Return whether the checkpoint of a recipe, and that of its draft, is a folder or never changes (rule 3)."""
    address, draft = parse_address(loaded.recipe.source.checkpoint), load_draft(loaded)
    return (address is None or address.is_fixed) and (draft is None or has_fixed_source(draft))


def makes_same(draft: LoadedRecipe | None, job: Job) -> bool:
    """Return whether a recipe's draft is the one that a job was made of."""
    if draft is None or job.draft is None:
        return draft is None and job.draft is None
    sections = {name: getattr(draft.recipe, name) for name in job.draft.sections}
    return (sections, draft.recipe.target) == (job.draft.sections, job.draft.target)


def list_read_of_draft(draft: LoadedRecipe, job: Job) -> Iterator[str]:
    """List what a build reads to make the draft of a job."""
    if job.draft is not None:
        yield from list_read(draft, job.draft)


def name_again(loaded: LoadedRecipe) -> str:
    """Return a selector of a loaded recipe: its name if it is in recipes/, where a file of that name comes first."""
    return loaded.own_name if loaded.path == locate(loaded.path.stem) else loaded.selected.exact_path


def write_stamp(
    loaded: LoadedRecipe, *, job: Job, store: Store, steps: Steps, snapshot: Snapshot, printed: stamp.Printed
) -> None:
    """Write the stamp of a build that has just succeeded, or remove the stamp of an earlier build."""
    path = Path(stamp.name_stamp(loaded.recipe.name))
    try:
        stats = note_stats(job, store=store, steps=steps, snapshot=snapshot)
        if stats is not None:
            replace_text(path, stamp.format_stamp(str(loaded.path), stats, printed))
            return
    except (OSError, ValueError, UserError):  # a file is gone, or its name has several lines
        pass
    with suppress(OSError):
        path.unlink(missing_ok=True)


def write_selection(selector: str) -> None:
    """Write what a selector of several recipes selects, as a stamp of the files that decide it (rules 1, 2 and 4)."""
    with suppress(OSError, ValueError, UserError):
        faults: list[Fault] = []
        paths, began = list_deciding(selector), time.time_ns()
        stats = [stamp.format_stat(path) for path in paths]
        found = [name_exactly(selector, each) for each in find_recipes([selector], faults)]
        is_true = not faults and is_settled(paths, began) and stats == [stamp.format_stat(path) for path in paths]
        if is_true and found != [selector]:
            text = stamp.format_stamp(selector, stats, stamp.Printed(found, (), ""))
            replace_text(Path(stamp.name_selection(selector)), text)


def name_exactly(selector: str, found: SelectedRecipe) -> str:
    """Return a selector that selects just one recipe of those that `selector` selects, in the same way."""
    return found.exact_path if stamp.is_path(selector) else found.name


def list_deciding(selector: str) -> list[str]:
    """List what decides which recipes a selector selects, as a stamp names it."""
    recipes, others = find_deciding(selector)
    files = dict.fromkeys(line for recipe in recipes for line in list_files(recipe))
    return [*files, *(f"may {path}" for path in others)]


def list_files(recipe: Path) -> list[str]:
    """List the files of a recipe and its parents, as a stamp names them."""
    return [f"stat {file}" for file, _ in read_chain(recipe)]


def note_stats(job: Job, *, store: Store, steps: Steps, snapshot: Snapshot) -> list[str] | None:
    """Return the stats of a stamp by rules 1 and 2; None if it would not be true."""
    if not snapshot.is_settled:
        return None
    made = list(list_made(job, store, steps))
    settle(made)
    began = time.time_ns()
    stats = [stamp.format_stat(path) for path in made]
    is_whole = all(has_artifact(store, step) for step in steps) and is_settled(made, began)
    again = [stamp.format_stat(path) for path in (*snapshot.paths, *made)]
    before = [*snapshot.stats, *stats]
    return before if is_whole and again == before else None


def has_artifact(store: Store, step: StepReport) -> bool:
    """Return whether the artifact of a step is whole, or was removed to make room."""
    record = store.find(step.stage, str(step.key)) or store.find_evicted(step.stage, str(step.key))
    return record is not None and record.digest == step.digest


def is_settled(paths: Sequence[str], began: int) -> bool:
    """Return whether rule 2 allows a stamp of these paths, whose stats were noted from `began` (ns) on."""
    return find_wait(paths, began) == 0


def settle(paths: Sequence[str]) -> None:
    """Wait until rule 2 allows a stamp of what a build wrote last, but for one tick at most."""
    time.sleep(min(TICK, find_wait(paths, time.time_ns())) / 1e9)


def find_wait(paths: Sequence[str], began: int) -> int:
    """Return in how many ns after `began` every further write to these paths is sure to change their stats."""
    places = (Path(path.partition(" ")[2]) for path in paths if not path.startswith("link "))
    return max((read_stat(place).settles_in(began) for place in places if place.exists()), default=0)


def list_read(loaded: LoadedRecipe, job: Job) -> Iterator[str]:
    """List what a build reads: recipe, parents, settings, sources, gpt2forge's own code, the tools' metadata."""
    if loaded.selected.variant:
        yield f"may {locate(loaded.own_name)}"  # a file of this name would take precedence
    yield from list_files(loaded.path)
    yield f"may {SETTINGS}"
    yield from (f"may {path}" for path in list_candidates(loaded.path))
    for source in job.sources.values():
        yield f"stat {source.path}"
        yield from (f"stat {folder}" for folder in source.through)
        if source.find is not None:  # every name in the folder may decide which files are found
            yield from (f"may {source.path / name}" for name in sorted(path.name for path in source.path.iterdir()))
    for folder, folders, files in os.walk(stamp.PACKAGE, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (f"may {folder}/{name}" for name in (*files, *folders) if not name.endswith(".pyc"))
    yield from (f"may {path}" for path in stamp.list_library_paths())
    for tool in sorted({tool for stage in job.stages for tool in stage.tools}):
        yield from (f"stat {path}" for path in find_metadata(tool))


def find_metadata(tool: str) -> tuple[Path, Path]:
    """Find the folder that an installer made for a distribution, and the file in it that holds the version.

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
    """List what a build made: the link and its target, the report, the output's root, every record and artifact."""
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
