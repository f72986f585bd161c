"""`generation:`, how the package writes text unless it is asked otherwise."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gpt2forge.recipe.sections.section import Section

LOOKUP = "prompt-lookup"
"""The word for guesses without a model."""
AUTO = "auto"
MOST_GUESSED = 32  # tokens in a pass; more than a few dozen are never all right


def check_tokens(value: Any) -> Any:
    """Raise ValueError unless the value is `auto` or a number of tokens."""
    if value != AUTO and not (type(value) is int and 1 <= value <= MOST_GUESSED):
        raise ValueError(f"must be `{AUTO}` or a whole number from 1 to {MOST_GUESSED}")
    return value


Tokens = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=1, le=MOST_GUESSED)],
    BeforeValidator(check_tokens),
]
Amount = Annotated[float, Field(allow_inf_nan=False)]


class Speculative(Section):
    """The guesses: what makes them, and how many tokens a pass checks."""

    draft: str = Field(
        description="what guesses tokens, several of which are checked at once: `prompt-lookup` takes those that "
        "followed the last ones before; or the recipe of a smaller model with the same vocabulary, which becomes a "
        "part of the package",
        json_schema_extra={"format": "recipe"},
    )
    tokens: Tokens = Field(
        default="auto", description="how many tokens to guess at once; `auto` follows how good they are"
    )


class GenerationSection(Section):
    """How the package writes text. A value that is not given is the checkpoint's own, or else that of `generate`."""

    temperature: Annotated[Amount, Field(ge=0)] | None = Field(
        default=None, description="0 always takes the likeliest token; larger values give less likely ones more chance"
    )
    top_k: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="draw from so many of the likeliest tokens; 0: from all"
    )
    top_p: Annotated[Amount, Field(gt=0, le=1)] | None = Field(
        default=None, description="draw from the fewest tokens whose probabilities add up to this; 1: from all"
    )
    min_p: Annotated[Amount, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="draw from the tokens that are at least so many times as likely as the likeliest; 0: from all; "
        "onnxruntime-genai has no such filter",
    )
    repetition_penalty: Annotated[Amount, Field(gt=0)] | None = Field(
        default=None, description="above 1, tokens of the prompt and the new text become less likely; 1: none"
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="the most new tokens, or as many as the context has room for; onnxruntime-genai goes on to the end "
        "of the context",
    )
    speculative: Speculative | None = Field(default=None, description="how tokens are guessed; nothing is unless given")

    @property
    def guesser(self) -> str | None:
        """The kind of what guesses tokens, `prompt-lookup` or `draft`; None if nothing does."""
        if self.speculative is None:
            return None
        return LOOKUP if self.speculative.draft == LOOKUP else "draft"

    @property
    def guess_tokens(self) -> int | str | None:
        """How many tokens are guessed at once, or `auto`; None if none are."""
        return self.speculative.tokens if self.speculative else None

    @property
    def draft(self) -> str | None:
        """The recipe of the model that guesses tokens; None if no model does."""
        return self.speculative.draft if self.speculative and self.guesser == "draft" else None
