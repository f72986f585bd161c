"""Writes the stamps that `gpt2forge.stamp` compares: the stats of everything that a build read and made.

1. Before a build is planned, `take_snapshots` notes the stats of everything that it will read; then it reads the recipe
   again. After the build the stats are noted again. A stamp is written only if the recipe and the stats are equal:
   then nothing that the build read has changed since before it was planned.
2. A file that changed less than a clock tick before the first stats prevents a stamp: it may change again unseen.
3. A recipe whose checkpoint is a branch or a tag elsewhere gets no stamp: each build asks which commit that is now.
4. In any doubt no stamp is written, and the next build runs as usual.
5. The recipes of one build share most of what they read. Each path is looked at once for all of them, before the build
   and twice after it. Nothing is remembered for the next build of the same process.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TypeVar

from gpt2forge import stamp
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import StepReport
from gpt2forge.errors import Fault, UserError
from gpt2forge.fetch.address import parse_address
from gpt2forge.plan.job import Job
from gpt2forge.plan.source import Source
from gpt2forge.recipe.draft_recipe import load_draft
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.recipe.lookup import SelectedRecipe, find_deciding, find_one, find_recipes, locate
from gpt2forge.recipe.merge import read_chain
from gpt2forge.recipe.project import SETTINGS, list_candidates
from gpt2forge.store.artifacts import name_evicted
from gpt2forge.store.atomic import replace_text
from gpt2forge.store.roots import name_root
from gpt2forge.store.stat_cache import TICK, read_stat
from gpt2forge.store.store import Store

Value = TypeVar("Value")


@dataclass(frozen=True)
class Snapshot:
    """The stats of everything that a build reads, from before it was planned; `is_settled` by rules 1 and 2."""

    paths: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    is_settled: bool = False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A recipe that was just built: its steps, the snapshot from before, and what its build prints."""

    loaded: LoadedRecipe
    job: Job
    steps: Sequence[StepReport]
    snapshot: Snapshot
    printed: stamp.Printed

    @property
    def name(self) -> str:
        return self.job.name


class Looks:
    """Looks at paths, from now on and at each once (rule 5)."""

    def __init__(self) -> None:
        self.began = time.time_ns()
        self.format_stat = cache(stamp.format_stat)
        self.find_wait = cache(partial(find_wait, began=self.began))
        self.list_code = cache(lambda: [*list_code()])
        self.find_metadata = cache(find_metadata)
        self.list_files = cache(list_files)
        self.list_source = cache(lambda source: [*list_source(source)])

    def format_stats(self, paths: Iterable[str]) -> list[str]:
        """Return the line of each path."""
        return [self.format_stat(path) for path in paths]

    def are_settled(self, paths: Iterable[str]) -> bool:
        """Return whether rule 2 allows a stamp of these paths."""
        return not any(self.find_wait(path) for path in paths)


def take_snapshots(builds: Iterable[tuple[LoadedRecipe, Job]]) -> list[Snapshot]:
    """Note the stats of everything that each of these builds will read, before they are planned (rules 1 to 5)."""
    looks = Looks()
    return [take_snapshot(loaded, job, looks) for loaded, job in builds]


def take_snapshot(loaded: LoadedRecipe, job: Job, looks: Looks) -> Snapshot:
    """Note the stats of everything that one build will read."""
    if loaded.recipe.name != loaded.own_name:
        return Snapshot()
    return attempt(partial(note_read, loaded, job, looks)) or Snapshot()


def note_read(loaded: LoadedRecipe, job: Job, looks: Looks) -> Snapshot:
    draft = load_draft(loaded)
    if not all(has_fixed_source(each) for each in (loaded, draft) if each):
        return Snapshot()
    drafted = list_read(draft, job.draft, looks) if draft and job.draft else ()
    paths = tuple(dict.fromkeys([*list_read(loaded, job, looks), *drafted]))
    stats = tuple(looks.format_stats(paths))
    is_same = find_one(name_again(loaded)) == loaded.selected and makes_same(load_draft(loaded), job)
    return Snapshot(paths, stats, is_same and looks.are_settled(paths))


def has_fixed_source(loaded: LoadedRecipe) -> bool:
    """Return whether the checkpoint of a recipe is a folder or never changes (rule 3)."""
    address = parse_address(loaded.recipe.source.checkpoint)
    return address is None or address.is_fixed


def makes_same(draft: LoadedRecipe | None, job: Job) -> bool:
    """Return whether a recipe's draft is the one that a job was made of."""
    if draft is None or job.draft is None:
        return draft is None and job.draft is None
    sections = {name: getattr(draft.recipe, name) for name in job.draft.sections}
    return (sections, draft.recipe.target) == (job.draft.sections, job.draft.target)


def name_again(loaded: LoadedRecipe) -> str:
    """Return a selector of a loaded recipe: its name if it is in recipes/, where a file of that name comes first."""
    return loaded.own_name if loaded.path == locate(loaded.path.stem) else loaded.selected.exact_path


def write_stamps(builds: Sequence[Finished], store: Store) -> None:
    """Write the stamps of recipes that have just been built, or remove those of earlier builds (rules 1 to 5)."""
    made = [attempt(partial(list_made, build, store)) or () for build in builds]
    settle([path for paths in made for path in paths])
    looks, has = Looks(), cache(partial(has_artifact, store))
    stats = [attempt(partial(note_made, build, paths, has, looks)) for build, paths in zip(builds, made, strict=True)]
    again = Looks()
    for build, paths, noted in zip(builds, made, stats, strict=True):
        lines = [*build.snapshot.stats, *(noted or ())]
        is_true = noted and attempt(partial(again.format_stats, (*build.snapshot.paths, *paths))) == lines
        if not is_true or attempt(partial(write_stamp, build, lines)) is None:
            remove_stamp(build)


def attempt(work: Callable[[], Value]) -> Value | None:
    """Return what `work` returns; None in doubt (rule 4): a file is gone, or its name has several lines."""
    try:
        return work()
    except (OSError, ValueError, UserError):
        return None


def note_made(
    build: Finished, paths: Sequence[str], has: Callable[[str, str, str], bool], looks: Looks
) -> list[str] | None:
    """Return the lines of what a build made; None unless they are settled and `has` finds every artifact."""
    lines = looks.format_stats(paths)
    is_whole = all(has(step.stage, str(step.key), str(step.digest)) for step in build.steps)
    return lines if is_whole and build.snapshot.is_settled and looks.are_settled(paths) else None


def write_stamp(build: Finished, lines: list[str]) -> Path:
    """Write the stamp of a recipe with these lines of paths, and return its path."""
    path = Path(stamp.name_stamp(build.name))
    replace_text(path, stamp.format_stamp(str(build.loaded.path), lines, build.printed))
    return path


def remove_stamp(build: Finished) -> None:
    """Remove the stamp of an earlier build."""
    with suppress(OSError):
        Path(stamp.name_stamp(build.name)).unlink(missing_ok=True)


def write_selection(selector: str) -> None:
    """Write what a selector of several recipes selects, as a stamp of the files that decide it (rules 1, 2 and 4)."""
    with suppress(OSError, ValueError, UserError):
        faults: list[Fault] = []
        paths, looks = list_deciding(selector), Looks()
        stats = looks.format_stats(paths)
        found = [name_exactly(selector, each) for each in find_recipes([selector], faults)]
        is_true = not faults and looks.are_settled(paths) and stats == Looks().format_stats(paths)
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


def has_artifact(store: Store, stage: str, key: str, digest: str) -> bool:
    """Return whether the artifact of a step is whole, or was removed to make room."""
    record = store.find(stage, key) or store.find_evicted(stage, key)
    return record is not None and record.digest == digest


def settle(paths: Iterable[str]) -> None:
    """Wait until rule 2 allows a stamp of what a build wrote last, but for one tick at most."""
    now = time.time_ns()
    time.sleep(min(TICK, max((find_wait(path, now) for path in {*paths}), default=0)) / 1e9)


def find_wait(path: str, began: int) -> int:
    """Return in how many ns after `began` every further write to this path is sure to change its stat."""
    place = Path(path.partition(" ")[2])
    return read_stat(place).settles_in(began) if not path.startswith("link ") and place.exists() else 0


def list_read(loaded: LoadedRecipe, job: Job, looks: Looks) -> Iterator[str]:
    """List what a build reads: recipe, parents, settings, sources, gpt2forge's own code, the tools' metadata."""
    if loaded.selected.variant:
        yield f"may {locate(loaded.own_name)}"  # a file of this name would take precedence
    yield from looks.list_files(loaded.path)
    yield f"may {SETTINGS}"
    yield from (f"may {path}" for path in list_candidates(loaded.path))
    for source in job.sources.values():
        yield from looks.list_source(source)
    yield from looks.list_code()
    for tool in sorted({tool for stage in job.stages for tool in stage.tools}):
        yield from (f"stat {path}" for path in looks.find_metadata(tool))


def list_source(source: Source) -> Iterator[str]:
    """List a source and the folders through which it was found."""
    yield f"stat {source.path}"
    yield from (f"stat {folder}" for folder in source.through)
    if source.find is not None:  # every name in the folder may decide which files are found
        yield from (f"may {source.path / name}" for name in sorted(path.name for path in source.path.iterdir()))


def list_code() -> Iterator[str]:
    """List gpt2forge's own files, and the paths that Python imports from."""
    for folder, folders, files in os.walk(stamp.PACKAGE, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (f"may {folder}/{name}" for name in (*files, *folders) if not name.endswith(".pyc"))
    yield from (f"may {path}" for path in stamp.list_library_paths())


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


def list_made(build: Finished, store: Store) -> list[str]:
    """List what a build made: the link and its target, the report, the output's root, every record and artifact."""
    output = BUILD / build.name
    steps = (line for step in build.steps for line in list_step(step, store))
    return [f"link {output}", f"stat {output}", f"stat {output}.json", f"stat {name_root(store, output)}", *steps]


def list_step(step: StepReport, store: Store) -> Iterator[str]:
    """List the record and the files of a step."""
    artifact = store.artifacts.folder(str(step.digest))
    yield f"stat {store.root}/records/{step.stage}/{step.key}.json"
    if store.artifacts.is_evicted(str(step.digest)):
        yield from (f"may {artifact}", f"stat {name_evicted(artifact)}")
        return
    yield f"stat {artifact}.json"
    yield from (f"stat {path}" for path in (artifact, *sorted(artifact.rglob("*"))))
