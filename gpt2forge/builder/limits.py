"""Judges what a build found: a recipe that does not fit the model ends it, and beyond a limit nothing is published.

Measuring knows no limits, so that editing one measures nothing again.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gpt2forge.errors import Fault, RecipeError
from gpt2forge.recipe.load import LoadedRecipe

Say = Callable[[float], str]

EXACT = 1e-4
"""The largest difference, as a part of the logits' spread, of a property that the scheme gives no tolerance."""


def percent(value: float) -> str:
    return f"{value:.3%}".replace("%", " %")


def number(value: float) -> str:
    return f"{value:.3g}"


def check_context(loaded: LoadedRecipe, context: int) -> None:
    """Raises RecipeError when what `benchmark` is to read and write is longer than the model's context."""
    asked = loaded.recipe.benchmark
    if asked and asked.prompt_tokens + asked.new_tokens > context:
        longer = "prompt_tokens" if asked.prompt_tokens > asked.new_tokens else "new_tokens"
        message = (
            f"`benchmark`: {asked.prompt_tokens} prompt tokens and {asked.new_tokens} new ones are more than this "
            f"model's {context}; lower `{longer}`"
        )
        raise RecipeError([Fault(loaded.place("benchmark", longer), message)])


def check_limits(loaded: LoadedRecipe, verify: Mapping[str, Any]) -> None:
    """Raises RecipeError with every number that is beyond its limit, at the limit's place in the recipe."""
    faults = [*judge_numbers(loaded, verify), *judge_properties(loaded, verify)]
    if faults:
        raise RecipeError(faults)


def judge_numbers(loaded: LoadedRecipe, verify: Mapping[str, Any]) -> Iterator[Fault]:
    limits = loaded.recipe.verify
    assert limits is not None
    rules: list[tuple[str, str, float | None, int, Say]] = [
        ("max_perplexity_increase", "perplexity_increase", limits.max_perplexity_increase, 1, percent),
        ("max_kl", "kl_mean", limits.max_kl, 1, number),
        ("min_top1_agreement", "top1_agreement", limits.min_top1_agreement, -1, percent),
    ]
    for key, name, limit, sign, say in rules:
        value = verify[name]
        if limit is not None and not sign * value <= sign * limit:  # so that what is no number is beyond any limit
            side = "above" if sign > 0 else "below"
            message = (
                f"`{name}` is {say(value)}, {side} `{key}: {say(limit)}`; not published: allow more, or quantize less"
            )
            yield Fault(loaded.place("verify", key), message)


def judge_properties(loaded: LoadedRecipe, verify: Mapping[str, Any]) -> Iterator[Fault]:
    for name, limit in find_tolerances(loaded).items():
        value = verify["properties"][name]
        if value is not None and not value <= limit:
            prompt = next(grown for grown in verify["prompts"][name] if not grown["difference"] <= limit)
            tokens = " ".join(str(token) for token in prompt["tokens"])
            message = (
                f"`{name}` is {number(value)} of the logits' spread, above its tolerance {number(limit)}; not "
                f"published; the shortest prompt that shows it has the tokens {tokens}"
            )
            yield Fault(loaded.place("verify", "tolerances", name), message)


def find_tolerances(loaded: LoadedRecipe) -> dict[str, float]:
    """Return the largest allowed difference of each property: the recipe's, else the scheme's."""
    recipe = loaded.recipe
    assert recipe.verify is not None
    natural, given = recipe.quantization.tolerances, recipe.verify.tolerances.model_dump()
    return {name: natural.get(name, EXACT) if value is None else value for name, value in given.items()}
