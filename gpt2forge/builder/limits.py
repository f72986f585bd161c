"""The limits of a recipe, checked against the model and the measured numbers.

A result beyond a limit is not published. The measuring steps do not read the limits, so that editing a limit measures
nothing again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gpt2forge.builder.measurements import Accuracy, Prompt
from gpt2forge.errors import Fault, RecipeError
from gpt2forge.recipe.load import LoadedRecipe
from gpt2forge.recipe.sections.verify_section import Verify

EXACT = 1e-4
"""The largest difference, as a part of the logits' spread, of a property that the scheme gives no tolerance."""


def format_share(value: float) -> str:
    return f"{value:.3%}".replace("%", " %")


def format_number(value: float) -> str:
    return f"{value:.3g}"


@dataclass(frozen=True)
class Limit:
    """A limit of `verify:`, and the number that it limits.

    `key` is the name in the recipe, `name` the name in the report. A number may be at most the limit, or at least the
    limit if `is_floor`.
    """

    key: str
    name: str
    read_limit: Callable[[Verify], float | None]
    read_number: Callable[[Accuracy], float]
    form: Callable[[float], str]
    is_floor: bool = False

    def describe_fault(self, limits: Verify, measured: Accuracy) -> str | None:
        """Return a message if the number is beyond the limit, else None."""
        limit, number = self.read_limit(limits), self.read_number(measured)
        if limit is None or (number >= limit if self.is_floor else number <= limit):
            return None
        side = "below" if self.is_floor else "above"
        return (
            f"`{self.name}` is {self.form(number)}, {side} `{self.key}: {self.form(limit)}`; not published: allow "
            "more, or quantize less"
        )


LIMITS = (
    Limit(
        "max_perplexity_increase",
        "perplexity_increase",
        lambda limits: limits.max_perplexity_increase,
        lambda measured: measured.perplexity_increase,
        format_share,
    ),
    Limit("max_kl", "kl_mean", lambda limits: limits.max_kl, lambda measured: measured.kl_mean, format_number),
    Limit(
        "min_top1_agreement",
        "top1_agreement",
        lambda limits: limits.min_top1_agreement,
        lambda measured: measured.top1_agreement,
        format_share,
        is_floor=True,
    ),
)


def check_context(loaded: LoadedRecipe, context: int) -> None:
    """Raise RecipeError if `benchmark` reads and writes more tokens than the model's context holds."""
    asked = loaded.recipe.benchmark
    if asked and asked.prompt_tokens + asked.new_tokens > context:
        longer = "prompt_tokens" if asked.prompt_tokens > asked.new_tokens else "new_tokens"
        message = (
            f"`benchmark`: {asked.prompt_tokens} prompt tokens and {asked.new_tokens} new ones are more than this "
            f"model's {context}; lower `{longer}`"
        )
        raise RecipeError([Fault(loaded.place("benchmark", longer), message)])


def check_limits(loaded: LoadedRecipe, measured: Accuracy) -> None:
    """Raise RecipeError with every number that is beyond its limit, each at the place of the limit in the recipe."""
    faults = [*check_numbers(loaded, measured), *check_properties(loaded, measured)]
    if faults:
        raise RecipeError(faults)


def check_numbers(loaded: LoadedRecipe, measured: Accuracy) -> Iterator[Fault]:
    """Yield a fault for each number that is beyond its limit."""
    limits = loaded.recipe.verify
    assert limits is not None
    for limit in LIMITS:
        message = limit.describe_fault(limits, measured)
        if message:
            yield Fault(loaded.place("verify", limit.key), message)


def check_properties(loaded: LoadedRecipe, measured: Accuracy) -> Iterator[Fault]:
    """Yield a fault for each property whose largest difference is above its tolerance."""
    worst, prompts = dict(measured.properties), dict(measured.prompts)
    for name, limit in find_tolerances(loaded).items():
        value = worst[name]
        if value is not None and value > limit:
            message = (
                f"`{name}` is {format_number(value)} of the logits' spread, above its tolerance "
                f"{format_number(limit)}; not published; the shortest prompt that shows it has the tokens "
                f"{find_shortest(prompts[name], limit)}"
            )
            yield Fault(loaded.place("verify", "tolerances", name), message)


def find_shortest(prompts: Sequence[Prompt], limit: float) -> str:
    """Return the token ids of the shortest prompt whose difference is above the limit; shorter prompts come first."""
    prompt = next(prompt for prompt in prompts if prompt.difference > limit)
    return " ".join(str(token) for token in prompt.tokens)


def find_tolerances(loaded: LoadedRecipe) -> dict[str, float]:
    """Return the largest allowed difference of each property: the recipe's, else the scheme's."""
    recipe = loaded.recipe
    assert recipe.verify is not None
    natural, given = recipe.quantization.tolerances, recipe.verify.tolerances.model_dump()
    return {name: natural.get(name, EXACT) if value is None else value for name, value in given.items()}
