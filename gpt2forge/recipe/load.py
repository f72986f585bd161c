"""The way from selectors to valid recipes. The faults of all recipes are reported at once."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gpt2forge.errors import MOST_FAULTS, Fault, Place, RecipeError, UserError, quote
from gpt2forge.recipe.faults import join_keys
from gpt2forge.recipe.lookup import SelectedRecipe, find_owner, find_recipes, list_names, refuse_several
from gpt2forge.recipe.merge import change_document, drop_nulls, parse_change
from gpt2forge.recipe.project import find_project
from gpt2forge.recipe.rules import check_rules
from gpt2forge.recipe.schema import NAME, Loc, Recipe
from gpt2forge.recipe.unknown_keys import explain_unknown, list_unknown, remove
from gpt2forge.recipe.validate_sections import check_deleted_patterns, check_empty, validate_sections
from gpt2forge.recipe.yaml import Node

LIKE = "a recipe is a mapping: `name: ...`, `extends: gpt2forge/cpu`, `source: {checkpoint: ...}`"


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and the document that it came from, which knows every value's place.

    `projects` are the folders that recipes loaded together have found already, by their files.
    """

    recipe: Recipe
    document: Node
    selected: SelectedRecipe
    projects: dict[Path, Path] = field(default_factory=dict, repr=False, compare=False)

    @property
    def path(self) -> Path:
        """The recipe's file."""
        return self.selected.path

    @property
    def project(self) -> Path:
        """The folder at which the paths in the recipe start."""
        if self.path not in self.projects:
            self.projects[self.path] = find_project(self.path)
        return self.projects[self.path]

    @property
    def own_name(self) -> str:
        """The name that it is published as without `--name`: `STEM` or `STEM@VARIANT`."""
        return self.selected.name

    def leave_out(self, *sections: str) -> "LoadedRecipe":
        """Return the recipe without these sections, none of which it must have."""
        return replace(self, recipe=self.recipe.model_copy(update=dict.fromkeys(sections)))

    def place(self, *keys: str) -> Place:
        """Return the place of a value, or of the nearest section above it that the file has."""
        return self.document.nearest(keys).place


def load_recipes(selectors: Sequence[str], changes: Sequence[str] = (), name: str | None = None) -> list[LoadedRecipe]:
    """Find, read and check all selected recipes, each once; `name` replaces the name of a single one.

    Raises RecipeError with the faults of all at once, each with its place.
    """
    faults: list[Fault] = []
    for change in changes:  # `--set key value` leaves a word that would be looked for among the recipes
        parse_change(change)
    found = find_recipes(selectors, faults)
    if len(found) > 1 and (changes or name is not None):
        names = list_names([each.name for each in found])
        raise UserError(f"`{'--set' if changes else '--name'}` is for one recipe, and several are selected{names}")
    loaded: list[LoadedRecipe] = []
    projects: dict[Path, Path] = {}
    owners: dict[Fault, list[SelectedRecipe]] = {}
    for each in found:
        try:
            loaded.append(replace(load(each, changes, name), projects=projects))
        except RecipeError as error:
            for fault in dict.fromkeys(error.faults):
                owners.setdefault(fault, []).append(each)
    changed = {place for each in found if each.variant for place in list_places(each.variant.changes)}
    faults += [name_variants(fault, having, found, changed) for fault, having in owners.items()]
    if faults:
        raise RecipeError(faults)
    return loaded


def name_variants(
    fault: Fault, having: Sequence[SelectedRecipe], found: Sequence[SelectedRecipe], changed: Collection[Place]
) -> Fault:
    """Add the names of the variants to a fault of some, unless it stands in what a variant changes."""
    path = having[0].path
    is_common = len(having) == len([each for each in found if each.path == path])
    if is_common or fault.place in changed:
        return fault
    return Fault(fault.place, f"{fault.message} (in {quote([each.name for each in having])})")


def list_places(node: Node) -> Iterator[Place]:
    """Yield the place of a value, and of all values in it."""
    yield node.place
    for child in node.value.values() if isinstance(node.value, dict) else ():
        yield from list_places(child)


def load_recipe(selector: str, changes: Sequence[str] = (), name: str | None = None) -> LoadedRecipe:
    """Find, read and check the one selected recipe; raises UserError, with the names, if several are selected."""
    loaded = load_recipes([selector], changes, name)
    refuse_several(selector, [each.selected for each in loaded])
    return loaded[0]


def load(found: SelectedRecipe, changes: Sequence[str], name: str | None) -> LoadedRecipe:
    """Apply the changes to a recipe that was found, and check it. Raises RecipeError with all its faults."""
    written = change_document(found.whole, changes)
    if not written.value:
        raise RecipeError([Fault(Place(str(found.path), 1, 1), f"is empty; {LIKE}")])
    if name is not None:
        check_name(name, found, changes)
    document = rename(drop_nulls(written), found, name)
    unknown = dict.fromkeys(list_unknown(written))
    sections, faults = validate_sections(remove(document, unknown) if unknown else document, found.path, unknown)
    faults += list_unknown_faults(list(unknown), written)
    faults += check_deleted_patterns(written)
    faults += check_empty(written)
    faults += check_file_name(written, found) if name is None else ()
    faults += [Fault(document.nearest(loc).place, message) for loc, message in check_rules(sections)]
    if faults:
        raise RecipeError(faults)
    return LoadedRecipe(Recipe(**sections).normalize(), document, found)


def list_unknown_faults(unknown: Sequence[Loc], written: Node) -> Iterator[Fault]:
    """Yield the fault of each unknown key; those that no message lists are not compared with the known keys."""
    yield from (explain_unknown(loc, written) for loc in unknown[:MOST_FAULTS])
    for loc in unknown[MOST_FAULTS:]:
        yield Fault(written.nearest(loc).place, f"unknown key `{join_keys(loc)}`")


def check_name(name: str, found: SelectedRecipe, changes: Sequence[str]) -> None:
    """Raise UserError if another recipe has this name, or this recipe has it without the changes."""
    owner = find_owner(name)
    if owner and (changes or name != found.name or not owner.samefile(found.path)):
        raise UserError(f"--name: `{name}` is what `{owner}` is published as; choose another name")


def check_file_name(written: Node, found: SelectedRecipe) -> Iterator[Fault]:
    """Yield a fault if a recipe's name is not its file's; other faults of the name are found elsewhere."""
    node = written.find(("name",))
    if node and isinstance(node.value, str) and node.value != found.path.stem and NAME.fullmatch(node.value):
        yield Fault(node.place, f"`name: {node.value}` must be the file's, `{found.path.stem}`")


def rename(document: Node, found: SelectedRecipe, name: str | None) -> Node:
    """Put in the published name: `--name`, or that of the variant if the file has its own name right."""
    node = document.find(("name",))
    if name is not None:
        renamed = Node(name, Place("--name"))
    elif found.variant and node and node.value == found.path.stem:
        renamed = Node(found.name, found.variant.changes.place)
    else:
        return document
    return Node({**document.value, "name": renamed}, document.place)
