"""Removes published results: the link, the report and the stamp. What they link to is the store's."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from gpt2forge.builder.listing import list_built
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.publish import hold_outputs
from gpt2forge.errors import UserError, suggest
from gpt2forge.recipe.lookup import find_recipes
from gpt2forge.stamp import is_path, name_stamp
from gpt2forge.store.temporary import TARGET


def find_outputs(selectors: Sequence[str]) -> list[Path]:
    """Return what is published of the selected recipes, each once.

    A selector is also the name, or a pattern of the names, of a result whose recipe is gone. Raises UserError for a
    selector of which nothing is published, or whose output gpt2forge has not made.
    """
    names = [name for selector in selectors for name in match(selector)]
    outputs = [BUILD / name for name in dict.fromkeys(names)]
    for output in outputs:
        if not (output.is_symlink() and TARGET.search(str(output.readlink()))):
            raise UserError(f"{output}: is not a link that gpt2forge made; remove it yourself")
    return outputs


def match(selector: str) -> list[str]:
    """Return the names of the results that a selector means."""
    built = sorted(list_built() | list_broken())
    wanted = [each.name for each in find_recipes([selector], [])] if is_path(selector) else [selector]
    found = [name for name in built if any(fits(name, each) for each in wanted)]
    if not found:
        raise UserError(f"`{selector}`: nothing is published under this name{suggest(selector, built)}")
    return found


def fits(name: str, wanted: str) -> bool:
    """Return whether a result has this name, or matches this pattern, itself or as a variant."""
    return fnmatchcase(name, wanted) or fnmatchcase(name, f"{wanted}@*")


def list_broken() -> set[str]:
    """List the names of links whose artifact is gone."""
    return {path.name for path in BUILD.glob("*") if path.is_symlink() and not path.exists()}


def remove_outputs(outputs: Sequence[Path]) -> None:
    """Remove results with their reports and stamps. Raises OSError if one cannot be removed."""
    if not outputs:
        return
    with hold_outputs(BUILD):
        for output in outputs:
            for path in list_paths(output):
                path.unlink(missing_ok=True)


def list_paths(output: Path) -> Iterator[Path]:
    """Yield the files of a result; the stamp first, so that none is left without its result."""
    yield Path(name_stamp(output.name))
    yield output
    yield output.with_name(f"{output.name}.json")
