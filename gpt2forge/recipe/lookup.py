"""Selectors: the words on a command line that name recipes, or variants of them.

1. A selector with a `/`, or that ends in `.yaml`, is a path. `some/where/x.yaml@VARIANT` selects a variant of the file;
   VARIANT may be a pattern.
2. Every other selector is a name under recipes/, or `NAME@VARIANT`. A file of that whole name wins over a variant.
3. `nano-*` and `*@int8` are patterns of names (fnmatch). Files whose names cannot match are not read.
4. A recipe with a matrix stands for all its variants, in the order of the file.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gpt2forge.errors import Fault, RecipeError, UserError, quote, suggest, suggest_close
from gpt2forge.recipe.merge import compose_document, merge
from gpt2forge.recipe.variants import Variant, list_variants
from gpt2forge.recipe.yaml import Node
from gpt2forge.stages.all_stages import MEASURING
from gpt2forge.stamp import is_path

RECIPES = Path("recipes")
MOST = 24  # names in a message


@dataclass(frozen=True)
class SelectedRecipe:
    """A recipe file, read with all that it extends, and the selected variant."""

    path: Path
    document: Node
    variant: Variant | None = None

    @property
    def name(self) -> str:
        """The name that it is published as."""
        return f"{self.path.stem}@{self.variant.name}" if self.variant else self.path.stem

    @property
    def exact_path(self) -> str:
        """The path that selects this recipe alone, even if a file is named like its variant."""
        return f"{self.path}@{self.variant.name}" if self.variant else str(self.path)

    @property
    def whole(self) -> Node:
        """The document with the changes of the variant."""
        return merge(self.document, self.variant.changes) if self.variant else self.document


def find_recipes(selectors: Sequence[str], faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the selected recipes, each once; the faults of their files are added to `faults`.

    Raises UserError for a selector that matches nothing.
    """
    found = [each for selector in selectors for each in expand(selector, faults)]
    return list({(each.path.parent.resolve(), each.path.name, each.name): each for each in found}.values())


def find_one(selector: str) -> SelectedRecipe:
    """Return the one selected recipe. Raises UserError, with the names, if several are selected."""
    faults: list[Fault] = []
    found = find_recipes([selector], faults)
    if faults:
        raise RecipeError(faults)
    refuse_several(selector, found)
    return found[0]


def refuse_several(selector: str, found: Sequence[SelectedRecipe]) -> None:
    """Raise UserError if several recipes are selected."""
    if len(found) > 1:
        names = list_names([each.name for each in found])
        raise UserError(f"`{selector}`: selects several recipes, and one is needed{names}")


def expand(selector: str, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the recipes of one selector."""
    if is_path(selector):
        return expand_path(selector, faults)
    if locate(selector).is_file():
        return read_named(selector, faults)
    if set("*?[") & set(selector):
        return expand_pattern(selector, faults)
    stem, _, variant = selector.rpartition("@")
    if stem and locate(stem).is_file():
        return choose(locate(stem), variant, faults)
    place = locate(stem or selector)
    if place.with_suffix(".yml").is_file():
        raise UserError(f"{place.with_suffix('.yml')}: is not read under this name; rename it to `{place.name}`")
    known = list_recipes()
    if not known:
        fix = "change to its parent folder, or give a path"
        raise UserError(f"`{selector}`: there is no folder `{RECIPES}/` with recipes here; {fix}")
    if os.path.lexists(place):
        raise UserError(f"`{selector}`: `{place}` is no file, or a link that leads to none; remove it")
    if selector in MEASURING:
        raise UserError(f"`{selector}` is a step, and no recipe; several steps are one word, `--skip verify,benchmark`")
    raise UserError(f"`{selector}`: there is no `{place}`{suggest(stem or selector, known)}")


def expand_path(selector: str, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the recipes of a path (rule 1)."""
    file, _, variant = selector.rpartition("@")
    if Path(selector).is_file():
        return read_recipe(Path(selector), faults)
    if file and "/" not in variant and Path(file).is_file():
        return choose(Path(file), variant, faults)
    fix = suggest_ending(Path(selector)) or suggest_close(Path(selector).stem, list_recipes())
    raise UserError(f"{Path(selector)}: there is no such recipe{fix}")


def suggest_ending(path: Path) -> str:
    """Return the end of a message: the file with the other ending of YAML's, if there is one."""
    other = path.with_suffix({".yaml": ".yml", ".yml": ".yaml"}.get(path.suffix, path.suffix))
    return f"; did you mean `{other}`?" if other.is_file() else ""


def expand_pattern(pattern: str, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the recipes of a pattern (rule 3). A pattern that matches a file's name selects all its variants."""
    seen: list[str] = []
    chosen: list[SelectedRecipe] = []
    for stem in list_recipes():
        if may_match(pattern, stem):
            found = read_named(stem, faults)
            seen += [each.name for each in found]
            chosen += [each for each in found if any(fnmatchcase(name, pattern) for name in (stem, each.name))]
    if not chosen and not faults:
        raise UserError(f"`{pattern}`: no recipe has such a name{list_names(seen or list_recipes())}")
    return chosen


def find_deciding(selector: str) -> tuple[list[Path], list[Path]]:
    """Return the recipe files, and the other paths, that decide what a selector selects; not all of them exist."""
    if is_path(selector):
        file = Path(selector) if Path(selector).is_file() else Path(selector.rpartition("@")[0])
        return [file], [Path(selector)]
    stem = selector.rpartition("@")[0]
    if not locate(selector).is_file() and set("*?[") & set(selector):
        return [locate(name) for name in list_recipes() if may_match(selector, name)], [RECIPES]
    return [locate(selector) if locate(selector).is_file() else locate(stem)], [locate(selector)]


def may_match(pattern: str, stem: str) -> bool:
    """Return whether a pattern matches a file's name, or may match a variant of it.

    It may match a variant if some beginning of the pattern matches the name with `@`.
    """
    beginnings = (pattern[:end] for end in range(1, len(pattern) + 1))
    return fnmatchcase(stem, pattern) or any(fnmatchcase(f"{stem}@", beginning) for beginning in beginnings)


def choose(path: Path, variant: str, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the variants of a file that match. Raises UserError for none, unless the file has faults."""
    found: list[Fault] = []
    read = read_recipe(path, found)
    faults += found
    chosen = [each for each in read if each.variant and fnmatchcase(each.variant.name, variant)]
    if chosen or found:
        return chosen
    known = [each.variant.name for each in read if each.variant]
    fix = suggest_close(variant, known) or list_names(known) or "; it has no `matrix`"
    raise UserError(f"`{path.stem}@{variant}`: `{path}` has no variant `{variant}`{fix}")


def read_named(name: str, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the recipe of a name under recipes/, or its variants; a file named like a variant replaces it."""
    named: list[SelectedRecipe] = []
    for found in read_recipe(locate(name), faults):
        is_replaced = found.variant is not None and locate(found.name).is_file()
        named += read_named(found.name, faults) if is_replaced else [found]
    return named


def read_recipe(path: Path, faults: list[Fault]) -> list[SelectedRecipe]:
    """Return the recipe of a file, or its variants if it has a matrix."""
    try:
        whole = compose_document(path)
    except RecipeError as error:
        faults += error.faults
        return []
    matrix = whole.value.get("matrix")
    document = Node({key: node for key, node in whole.value.items() if key != "matrix"}, whole.place)
    if matrix is None or (matrix.value is None and not matrix.is_empty):
        return [SelectedRecipe(path, document)]
    return [SelectedRecipe(path, document, variant) for variant in list_variants(matrix, faults)]


def find_owner(name: str) -> Path | None:
    """Return the file under recipes/ that is published under this name, itself or in a variant."""
    if locate(name).is_file():
        return locate(name)
    path = locate(name.rpartition("@")[0])
    return path if path.is_file() and name in [found.name for found in read_recipe(path, [])] else None


def locate(name: str) -> Path:
    return RECIPES / f"{name}.yaml"


def list_recipes() -> list[str]:
    """Return the names of the recipes under recipes/."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def list_names(names: Sequence[str]) -> str:
    """Return the end of a message: the names that exist."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"; there {'are' if len(names) > 1 else 'is'} {quote(names[:MOST])}{more}" if names else ""
