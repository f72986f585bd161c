"""What a reference on the command line means: recipe files, or variants of them.

1. What has a `/` or ends in `.yaml` is a path; `some/where/x.yaml@VARIANT` is a variant of it, or those of a pattern.
2. Else it is a name under recipes/, or `NAME@VARIANT`. A file of that whole name comes before a variant.
3. `nano-*` and `*@int8` are patterns of names (fnmatch). A file that a pattern cannot mean is not read.
4. A recipe with a matrix means all its variants, in the order of the file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gpt2forge.errors import Fault, RecipeError, UserError, quote, suggest, suggest_close
from gpt2forge.recipe.merge import compose_document, merge
from gpt2forge.recipe.variants import Variant, list_variants
from gpt2forge.recipe.yaml import Node

RECIPES = Path("recipes")
MOST = 24  # names in a message


@dataclass(frozen=True)
class Found:
    """A recipe that was found: its file, read with all that it extends, and the variant that is meant."""

    path: Path
    document: Node
    variant: Variant | None = None

    @property
    def name(self) -> str:
        """What it is published as."""
        return f"{self.path.stem}@{self.variant.name}" if self.variant else self.path.stem

    @property
    def whole(self) -> Node:
        """The document with what the variant changes."""
        return merge(self.document, self.variant.changes) if self.variant else self.document


def find_recipes(references: Sequence[str], faults: list[Fault]) -> list[Found]:
    """All recipes that are meant, each once; what is wrong in their files is added to `faults`.

    Raises UserError for a reference that means nothing.
    """
    found = [each for reference in references for each in expand(reference, faults)]
    return list({(each.path.parent.resolve(), each.path.name, each.name): each for each in found}.values())


def find_one(reference: str) -> Found:
    """The one recipe that is meant; raises UserError with their names where there are several."""
    faults: list[Fault] = []
    found = find_recipes([reference], faults)
    if faults:
        raise RecipeError(faults)
    refuse_several(reference, found)
    return found[0]


def refuse_several(reference: str, found: Sequence[Found]) -> None:
    if len(found) > 1:
        names = list_names([each.name for each in found])
        raise UserError(f"`{reference}`: means several recipes, and one is needed{names}")


def expand(reference: str, faults: list[Fault]) -> list[Found]:
    if "/" in reference or re.search(r"\.ya?ml(@|$)", reference):
        return expand_path(reference, faults)
    if locate(reference).is_file():
        return read_named(reference, faults)
    if set("*?[") & set(reference):
        return expand_pattern(reference, faults)
    stem, _, variant = reference.rpartition("@")
    if stem and locate(stem).is_file():
        return choose(locate(stem), variant, faults)
    known = list_recipes()
    if not known:
        raise UserError(
            f"`{reference}`: there is no folder `{RECIPES}/` with recipes here; start where it is, or give a path"
        )
    raise UserError(f"`{reference}`: there is no `{locate(stem or reference)}`{suggest(stem or reference, known)}")


def expand_path(reference: str, faults: list[Fault]) -> list[Found]:
    """Rule 1."""
    file, _, variant = reference.rpartition("@")
    if Path(reference).is_file():
        return read_recipe(Path(reference), faults)
    if file and "/" not in variant and Path(file).is_file():
        return choose(Path(file), variant, faults)
    raise UserError(f"{Path(reference)}: there is no such recipe{suggest_close(Path(reference).stem, list_recipes())}")


def expand_pattern(pattern: str, faults: list[Fault]) -> list[Found]:
    """Rule 3; a pattern that matches a file's name means all its variants."""
    seen: list[str] = []
    chosen: list[Found] = []
    for stem in list_recipes():
        if can_mean(pattern, stem):
            found = read_named(stem, faults)
            seen += [each.name for each in found]
            chosen += [each for each in found if any(fnmatchcase(name, pattern) for name in (stem, each.name))]
    if not chosen and not faults:
        raise UserError(f"`{pattern}`: no recipe has such a name{list_names(seen or list_recipes())}")
    return chosen


def can_mean(pattern: str, stem: str) -> bool:
    """Whether a pattern matches a name, or the beginning of it the name with `@`: then it may match some variant."""
    beginnings = (pattern[:end] for end in range(1, len(pattern) + 1))
    return fnmatchcase(stem, pattern) or any(fnmatchcase(f"{stem}@", beginning) for beginning in beginnings)


def choose(path: Path, variant: str, faults: list[Fault]) -> list[Found]:
    """A variant of a file, or those of a pattern; raises UserError for none, unless something is wrong in the file."""
    found: list[Fault] = []
    read = read_recipe(path, found)
    faults += found
    chosen = [each for each in read if each.variant and fnmatchcase(each.variant.name, variant)]
    if chosen or found:
        return chosen
    known = [each.variant.name for each in read if each.variant]
    fix = suggest_close(variant, known) or list_names(known) or "; it has no `matrix`"
    raise UserError(f"`{path.stem}@{variant}`: `{path}` has no variant `{variant}`{fix}")


def read_named(name: str, faults: list[Fault]) -> list[Found]:
    """The recipe of a name under recipes/, or its variants, of which each gives way to a file of its own name."""
    named: list[Found] = []
    for found in read_recipe(locate(name), faults):
        gives_way = found.variant is not None and locate(found.name).is_file()
        named += read_named(found.name, faults) if gives_way else [found]
    return named


def read_recipe(path: Path, faults: list[Fault]) -> list[Found]:
    """The recipe of a file, or its variants where it has a matrix."""
    try:
        whole = compose_document(path)
    except RecipeError as error:
        faults += error.faults
        return []
    matrix = whole.value.get("matrix")
    document = Node({key: node for key, node in whole.value.items() if key != "matrix"}, whole.place)
    if matrix is None or matrix.value is None:
        return [Found(path, document)]
    return [Found(path, document, variant) for variant in list_variants(matrix, faults)]


def find_owner(name: str) -> Path | None:
    """The file under recipes/ of which something is published under this name."""
    if locate(name).is_file():
        return locate(name)
    path = locate(name.rpartition("@")[0])
    return path if path.is_file() and name in [found.name for found in read_recipe(path, [])] else None


def locate(name: str) -> Path:
    return RECIPES / f"{name}.yaml"


def list_recipes() -> list[str]:
    """The names of the recipes here."""
    return sorted(file.stem for file in RECIPES.glob("*.yaml"))


def list_names(names: Sequence[str]) -> str:
    """The end of a message: what there is."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"; there {'are' if len(names) > 1 else 'is'} {quote(names[:MOST])}{more}" if names else ""
