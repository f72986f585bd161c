"""`verify:`, the text that the result is measured on, and how far it may differ."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gpt2forge.recipe.sections.section import Section
from gpt2forge.units import PERCENTAGE, parse_percentage


def read_share(value: Any) -> float:
    """Read `0.5%` as 0.005. A bare number is refused because 0.5 could mean a half or half a percent."""
    share = parse_percentage(value) if isinstance(value, str) else None
    if share is None or share > 1:
        raise ValueError("must be a percentage from `0%` to `100%`, as in `0.5%`")
    return share


Written = Annotated[str, Field(pattern=f"^({PERCENTAGE})$")]
Share = Annotated[float, BeforeValidator(read_share, json_schema_input_type=Written)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Tolerances(Section):
    """The largest difference that each property may have, as a part of the logits' spread."""

    steps_equal_pass: Amount | None = Field(
        default=None, description="largest difference between a prompt read at once and token by token"
    )
    shared_equals_copied: Amount | None = Field(
        default=None, description="largest difference between a cache extended in place and one that is fed back"
    )
    padded_equals_alone: Amount | None = Field(
        default=None, description="largest difference between a left-padded batch and its rows alone"
    )
    batch_equals_single: Amount | None = Field(
        default=None, description="largest difference between a batch and its rows alone"
    )


class Verify(Section):
    """The text to measure on, and the limits. Editing a limit measures nothing again."""

    text: str = Field(description="a file of UTF-8 text like what the model is for, which it was not trained on")
    tokens: Annotated[int, Field(ge=2)] = Field(default=8192, description="how many tokens of the text to use at most")
    max_perplexity_increase: Share | None = Field(
        default=None, description="perplexity increase over PyTorch in float32, as in `0.5%`"
    )
    max_kl: Amount | None = Field(
        default=None, description="mean Kullback-Leibler divergence from PyTorch, in nats a token"
    )
    min_top1_agreement: Share | None = Field(
        default=None, description="share of positions with the same likeliest token as PyTorch, as in `97%`"
    )
    tolerances: Tolerances = Field(default=Tolerances(), description="limits of the four properties")
