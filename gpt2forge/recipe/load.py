"""Finds, reads and checks recipes, and reports the faults of all at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gpt2forge.errors import Fault, Place, RecipeError, UserError, quote, suggest
from gpt2forge.recipe.faults import explain
from gpt2forge.recipe.lookup import Found, find_owner, find_recipes, list_names, refuse_several
from gpt2forge.recipe.merge import change_document, drop_nulls
from gpt2forge.recipe.rules import judge
from gpt2forge.recipe.schema import NAME, Loc, Recipe, has_patterns, has_section, section_fields
from gpt2forge.recipe.yaml import Node
from gpt2forge.stages.quantization import check_pattern


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and the document it came from, which knows every value's place."""

    recipe: Recipe
    document: Node
    found: Found

    @property
    def path(self) -> Path:
        """The file that says it."""
        return self.found.path

    @property
    def own_name(self) -> str:
        """What it is published as where `--name` says nothing: `STEM` or `STEM@VARIANT`."""
        return self.found.name

    def place(self, *keys: str) -> Place:
        """Where a value stands, or the nearest section above it that does."""
        return self.document.nearest(keys).place


def load_recipes(references: Sequence[str], changes: Sequence[str] = (), name: str | None = None) -> list[LoadedRecipe]:
    """Find, read and judge all recipes that are meant, each once; `name` replaces the name of a single one.

    Raises RecipeError with the faults of all at once, each with its place.
    """
    faults: list[Fault] = []
    found = find_recipes(references, faults)
    if len(found) > 1 and (changes or name is not None):
        names = list_names([each.name for each in found])
        raise UserError(f"`{'--set' if changes else '--name'}` is for one recipe, and several are meant{names}")
    loaded: list[LoadedRecipe] = []
    told: dict[Fault, list[Found]] = {}
    for each in found:
        try:
            loaded.append(load(each, changes, name))
        except RecipeError as error:
            for fault in dict.fromkeys(error.faults):
                told.setdefault(fault, []).append(each)
    faults += [name_variants(fault, having, found) for fault, having in told.items()]
    if faults:
        raise RecipeError(faults)
    return loaded


def name_variants(fault: Fault, having: Sequence[Found], found: Sequence[Found]) -> Fault:
    """A fault that not all variants of a file have, and that does not stand in one, is told with their names."""
    path, changes = having[0].path, [each.variant.changes for each in having if each.variant]
    is_common = len(having) == len([each for each in found if each.path == path])
    if is_common or any(fault.place in list_places(node) for node in changes):
        return fault
    return Fault(fault.place, f"{fault.message} (in {quote([each.name for each in having])})")


def list_places(node: Node) -> Iterator[Place]:
    """Where a value stands, and all that it holds."""
    yield node.place
    for child in node.value.values() if isinstance(node.value, dict) else ():
        yield from list_places(child)


def load_recipe(reference: str, changes: Sequence[str] = (), name: str | None = None) -> LoadedRecipe:
    """The same of a reference that must mean one recipe; raises UserError with their names where it means several."""
    loaded = load_recipes([reference], changes, name)
    refuse_several(reference, [each.found for each in loaded])
    return loaded[0]


def load(found: Found, changes: Sequence[str], name: str | None) -> LoadedRecipe:
    """Judge a recipe that was found, with its changes."""
    whole = change_document(found.whole, changes)
    document = drop_nulls(whole)
    if name is not None:
        check_name(name, found, changes)
    faults = [*judge_nulls(whole, ()), *(judge_name(document, found) if name is None else ())]
    document = rename(document, found, name)
    plain = document.plain()
    faults += (Fault(document.nearest(loc).place, message) for loc, message in judge(plain))
    try:
        recipe = Recipe.model_validate(plain)
    except ValidationError as error:
        told = (explain(dict(detail), document, found.path) for detail in error.errors(include_url=False))
        raise RecipeError([*faults, *told]) from error
    if faults:
        raise RecipeError(faults)
    return LoadedRecipe(recipe, document, found)


def check_name(name: str, found: Found, changes: Sequence[str]) -> None:
    """Raises UserError when another recipe is published under this name, or this one as it stands in its file."""
    owner = find_owner(name)
    if owner and (changes or name != found.name or not owner.samefile(found.path)):
        raise UserError(f"--name: `{name}` is what `{owner}` is published as; choose another name")


def judge_nulls(node: Node, loc: Loc) -> Iterator[Fault]:
    """A null that deletes a key which there cannot be: a slip of the pen that would else pass in silence."""
    known = section_fields(loc) if has_section(loc) else None
    for key, child in node.value.items():
        dotted = ".".join(map(str, (*loc, key)))
        if known is not None and key not in known:
            if child.value is None:
                yield Fault(child.place, f"unknown key `{dotted}`{suggest(key, known)}")
        elif known is None and child.value is None:
            try:
                check_pattern(key)
            except ValueError as error:
                yield Fault(child.place, f"`{dotted}: null` {error}")
        elif isinstance(child.value, dict) and (has_section((*loc, key)) or has_patterns((*loc, key))):
            yield from judge_nulls(child, (*loc, key))


def judge_name(document: Node, found: Found) -> Iterator[Fault]:
    """A recipe's name in its file is the file's; other faults of it are told elsewhere."""
    said = document.find(("name",))
    if said and isinstance(said.value, str) and said.value != found.path.stem and NAME.fullmatch(said.value):
        yield Fault(said.place, f"`name: {said.value}` must be the file's, `{found.path.stem}`")


def rename(document: Node, found: Found, name: str | None) -> Node:
    """Put in the name that is published: `--name`, or that of the variant, if the file has its own name right."""
    said = document.find(("name",))
    if name is not None:
        renamed = Node(name, Place("--name"))
    elif found.variant and said and said.value == found.path.stem:
        renamed = Node(found.name, found.variant.changes.place)
    else:
        return document
    return Node({**document.value, "name": renamed}, document.place)
