"""Puts the results of recipes beside those before a change, from saved reports alone: nothing is built."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.builder.find_artifact import find_digest
from gpt2forge.builder.outputs import BUILD
from gpt2forge.builder.report import Report, read_report
from gpt2forge.errors import Fault, RecipeError
from gpt2forge.recipe.load import load
from gpt2forge.recipe.lookup import SelectedRecipe, find_recipes
from gpt2forge.stages.stage import PACKAGE


@dataclass(frozen=True, kw_only=True)
class ReviewedResult:
    """The last report of a recipe, and the one before the change; None where there is none."""

    name: str
    before: Report | None
    now: Report | None

    @property
    def is_unchanged(self) -> bool:
        """Return whether both reports are of the same recipe, the same package and the same end."""
        if self.before is None or self.now is None:
            return False
        return describe_state(self.before) == describe_state(self.now)


@dataclass(frozen=True)
class Review:
    """The results of the selected recipes, and the faults of those that cannot be built."""

    results: Sequence[ReviewedResult]
    faults: Sequence[Fault]

    @property
    def changed(self) -> list[ReviewedResult]:
        """The results that are new, or other than before."""
        return [result for result in self.results if not result.is_unchanged]


def review_recipes(selectors: Sequence[str], before: Path) -> Review:
    """Read the reports of the selected recipes, and those of the same names in the folder `before`.

    Raises UserError for a selector that matches nothing.
    """
    faults: list[Fault] = []
    found = find_recipes(selectors, faults)
    results = [
        ReviewedResult(
            name=each.name,
            before=read_report(before / f"{each.name}.json"),
            now=read_report(BUILD / f"{each.name}.json"),
        )
        for each in found
    ]
    return Review(results, [*faults, *(fault for each in found for fault in list_faults(each))])


def describe_state(report: Report) -> tuple[object, ...]:
    """Return what must be equal in two reports of an unchanged result."""
    return (report.values, find_digest(report, PACKAGE), report.error)


def list_faults(found: SelectedRecipe) -> Iterator[Fault]:
    """Yield the faults of a recipe."""
    try:
        load(found, (), None)
    except RecipeError as error:
        yield from error.faults
