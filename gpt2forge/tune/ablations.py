"""Lists the ablations of a recipe: the same recipe with one fusion, or one choice of quantization, turned off.

A choice is off when its value is the one that does the least: float32 instead of integers, rounding to the nearest step
instead of GPTQ, the default instead of an own block size.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gpt2forge.errors import Place, RecipeError
from gpt2forge.quantize.scheme import CHANNEL, FLOAT16, FLOAT32, choose_table_block
from gpt2forge.quantize.scheme_table import SCHEMES
from gpt2forge.recipe.load import LoadedRecipe, load
from gpt2forge.recipe.lookup import SelectedRecipe
from gpt2forge.recipe.quantization_rules import INTEGER_KEYS
from gpt2forge.recipe.schema import Recipe
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.variants import Variant
from gpt2forge.tune.make_document import make_node

PLACE = Place("ablate")
FLOATS = "none"
LONGEST = 80  # characters of a choice in a name


@dataclass(frozen=True)
class Ablation:
    """A choice, as a recipe names it, and the changes that turn it off; None deletes a value."""

    choice: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class AblatedRecipe:
    """A choice and the recipe without it; `refusal` says why there is none."""

    choice: str
    loaded: LoadedRecipe | None
    refusal: str = ""


def list_ablations(recipe: Recipe) -> list[Ablation]:
    """List every choice of a recipe that can be turned off, with its changes."""
    fusions = [name for name, is_on in recipe.fusion if is_on]
    return [
        *(Ablation(f"fusion.{name}", {"fusion": {name: False}}) for name in fusions),
        *(
            Ablation(f"quantization.{choice}", {"quantization": changes})
            for choice, changes in list_storages(recipe.quantization)
        ),
    ]


def list_storages(section: Quantization) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each choice of `quantization:` and the values that turn it off. The section is normalized."""
    spec = SCHEMES[section.scheme]
    few = {"few_rows": None} if section.few_rows != CHANNEL else {}
    if section.scheme != FLOATS:
        yield f"scheme: {section.scheme}", drop_scheme(section)
    if section.granularity != spec.block:
        yield (
            f"granularity: {section.granularity}",
            {**few, "granularity": None, "embeddings_granularity": find_block(section)},
        )
    if few:
        yield f"few_rows: {section.few_rows}", few
    yield from list_exceptions(section)
    if section.method != "nearest":
        yield f"method: {section.method}", {"method": None}
    if section.smooth:
        yield "smooth", {"smooth": None}
    yield from list_tables(section)
    if section.kv_cache != FLOAT32:
        yield f"kv_cache: {section.kv_cache}", {"kv_cache": None}


def drop_scheme(section: Quantization) -> Mapping[str, Any]:
    """Return the changes that leave the linear layers float32 and the embeddings as they are."""
    gone = dict.fromkeys(INTEGER_KEYS)
    if SCHEMES[section.scheme].is_whole:
        return {**gone, "scheme": None, "embeddings": None, "positions": None}
    tables = {"embeddings": section.embeddings, "embeddings_granularity": find_block(section)}
    return {**gone, "scheme": None, **tables, "positions": section.positions}


def find_block(section: Quantization) -> int | None:
    """Return how many weights of the embeddings share a scale, also where that follows from the scheme."""
    default = choose_table_block(section.embeddings or FLOATS, section.scheme, section.granularity)
    return section.embeddings_granularity or default


def list_exceptions(section: Quantization) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each override and each skipped pattern."""
    for pattern in section.exceptions:
        yield f"overrides: {pattern}", {"overrides": {pattern: None}}
    for pattern in section.skip or ():
        others = [other for other in section.skip or () if other != pattern]
        yield f"skip: {pattern}", {"skip": others or None}


def list_tables(section: Quantization) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the choices for the embeddings and the positions. A scheme of everything has none of its own."""
    if SCHEMES[section.scheme].is_whole:
        return
    if section.embeddings != FLOATS:
        yield f"embeddings: {section.embeddings}", {"embeddings": FLOATS, "embeddings_granularity": None}
    if section.embeddings_granularity is not None:
        yield f"embeddings_granularity: {section.embeddings_granularity}", {"embeddings_granularity": None}
    if section.positions == FLOAT16:
        yield "positions: float16", {"positions": FLOAT32}


def ablate(loaded: LoadedRecipe) -> list[AblatedRecipe]:
    """Return the recipe without each of its choices. One that needs another choice cannot be turned off alone."""
    made: list[AblatedRecipe] = []
    for number, ablation in enumerate(list_ablations(loaded.recipe), 1):
        try:
            made.append(AblatedRecipe(ablation.choice, apply(loaded, ablation, number)))
        except RecipeError as error:
            made.append(AblatedRecipe(ablation.choice, None, error.faults[0].message))
    return made


def apply(loaded: LoadedRecipe, ablation: Ablation, number: int) -> LoadedRecipe:
    """Return a recipe with the changes of an ablation. Raises RecipeError if the rest does not allow them."""
    changes = Variant(str(number), make_node(ablation.changes, PLACE))
    words = re.sub(r"[^A-Za-z0-9.]+", "-", ablation.choice).strip("-.")[:LONGEST]
    selected = SelectedRecipe(loaded.path, loaded.document, changes)
    return load(selected, (), f"{loaded.recipe.name[:100]}-without-{number}-{words}")
