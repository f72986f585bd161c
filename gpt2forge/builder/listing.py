"""Lists recipes and results with their states, from the recipes' files, reports and stamps alone: no content is read.

| state | meaning |
|---|---|
| current | nothing that the result depends on has changed; a stamp says so |
| built | built from the recipe as it is now; `plan` says whether anything else has changed |
| changed | built, and the recipe has changed since |
| failed | the last build failed; an earlier result may still be published |
| not built | nothing is published |
| wrong | the recipe has faults |
| no recipe | a result that no recipe here has the name of |
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import read_report
from gpt2forge.errors import Fault, RecipeError
from gpt2forge.recipe.load import LoadedRecipe, load
from gpt2forge.recipe.lookup import SelectedRecipe, find_recipes, list_recipes
from gpt2forge.stamp import Present, read_single
from gpt2forge.store.inventory import stat_files


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recipe, or a variant, with what is published of it. `bytes` is None if nothing is; `path` if it has no recipe.

    `scheme` is how its weights are stored; None for a recipe with faults, which `faults` lists.
    """

    name: str
    state: str
    path: str | None = None
    bytes: int | None = None
    scheme: str | None = None
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def list_entries(selectors: Sequence[str]) -> list[Entry]:
    """List the selected recipes; without selectors all of recipes/, and the results that have no recipe there.

    Raises UserError for a selector that matches nothing.
    """
    faults: list[Fault] = []
    found = find_recipes(selectors or ["*"], faults) if selectors or list_recipes() else []
    present = Present()
    entries = [describe_recipe(each, present) for each in found]
    if not selectors:
        known = {each.name for each in found} | {Path(fault.place.file).stem for fault in faults}
        entries += [Entry(name=name, state="no recipe", bytes=measure(name)) for name in list_built() - known]
    return [*entries, *list_faulty(faults)]


def describe_recipe(found: SelectedRecipe, present: Present) -> Entry:
    try:
        loaded = load(found, (), None)
    except RecipeError as error:
        lines = tuple(str(fault) for fault in error.faults)
        return Entry(name=found.name, path=str(found.path), state="wrong", bytes=measure(found.name), faults=lines)
    scheme = loaded.recipe.quantization.scheme
    state = find_state(loaded, present)
    return Entry(name=found.name, path=str(found.path), state=state, bytes=measure(found.name), scheme=scheme)


def find_state(loaded: LoadedRecipe, present: Present) -> str:
    """Return the state of a valid recipe."""
    name = loaded.recipe.name
    report = read_report(BUILD / f"{name}.json")
    if report and report.error is not None:
        return "failed"
    if not is_published(name):
        return "not built"
    if read_single(loaded.selected.exact_path, present) or read_single(name, present):
        return "current"
    is_same = report is not None and report.values == loaded.recipe.model_dump(mode="json")
    return "built" if is_same else "changed"


def list_faulty(faults: Sequence[Fault]) -> Iterator[Entry]:
    """Yield an entry for each file that cannot be read as a recipe at all."""
    files = dict.fromkeys(fault.place.file for fault in faults)
    for file in files:
        lines = tuple(str(fault) for fault in faults if fault.place.file == file)
        yield Entry(name=Path(file).stem, path=file, state="wrong", faults=lines)


def list_built() -> set[str]:
    """List the names under which something is published here."""
    return {path.name for path in BUILD.glob("*") if is_published(path.name)}


def is_published(name: str) -> bool:
    return (BUILD / name / "model.onnx").is_file()


def measure(name: str) -> int | None:
    """Return the bytes of what is published under a name; None if nothing is."""
    return sum(each.st_size for each in stat_files(str(BUILD / name))) if is_published(name) else None
