"""The limits of a recipe, checked against the model and the measured numbers.

A result beyond a limit is not published. The measuring steps do not read the limits, so that editing a limit measures
nothing again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gpt2forge.builder.measurements import Accuracy, Prompt
from gpt2forge.errors import Fault, RecipeError
from gpt2forge.recipe.load import LoadedRecipe

EXACT = 1e-4
"""The largest difference, as a part of the logits' spread, of a property that the scheme gives no tolerance."""


def format_share(value: float) -> str:
    """Return a share in percent, without zeros at the end, as in `0.341 %`."""
    percent = value * 100
    is_tiny = 0 < abs(percent) < 0.0005
    return f"{percent:.0e} %" if is_tiny else f"{percent:.3f}".rstrip("0").rstrip(".") + " %"


def format_number(value: float) -> str:
    return f"{value:.3g}"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit of `verify:`, and the number that it limits.

    `key` is the name in the recipe, `name` the name in the report, `word` a short one. A number may be at most the
    limit, or at least the limit if `is_floor`. `form_excess` formats the distance of a number from the limit.
    """

    key: str
    name: str
    word: str
    form: Callable[[float], str]
    is_floor: bool = False

    @property
    def side(self) -> str:
        """The side of the limit that is not allowed."""
        return "below" if self.is_floor else "above"

    def find_excess(self, limit: float | None, measured: Accuracy) -> float:
        """Return by how much the number is beyond the limit; 0 if it is within, or if there is no limit."""
        if limit is None:
            return 0.0
        excess = float(getattr(measured, self.name)) - limit
        return max(0.0, -excess if self.is_floor else excess)

    def describe_excess(self, limit: float, measured: Accuracy) -> str:
        """Describe by how much a number is beyond its limit."""
        excess = self.form(self.find_excess(limit, measured))
        return f"{excess} {self.side} `{self.key}: {self.form(limit).replace(' %', '%')}`"  # as a recipe writes it

    def describe_fault(self, limit: float | None, measured: Accuracy) -> str | None:
        """Return a message if the number is beyond the limit, else None."""
        if limit is None or not self.find_excess(limit, measured):
            return None
        number = self.form(getattr(measured, self.name))
        excess = self.describe_excess(limit, measured)
        return f"`{self.name}` is {number}, {excess}; not published: allow more, or quantize less"


LIMITS = (
    Limit(
        key="max_perplexity_increase",
        name="perplexity_increase",
        word="perplexity increase",
        form=format_share,
    ),
    Limit(key="max_kl", name="kl_mean", word="KL", form=format_number),
    Limit(
        key="min_top1_agreement",
        name="top1_agreement",
        word="same token",
        form=format_share,
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
        message = limit.describe_fault(getattr(limits, limit.key), measured)
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
