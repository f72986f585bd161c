"""`calibration:`, the text that the quantized model is fitted to."""

from typing import Annotated

from pydantic import Field

from gpt2forge.recipe.sections.section import Section


class Calibration(Section):
    """The text that the quantized model is fitted to."""

    text: str = Field(description="a file of UTF-8 text like what the model is for, other than `verify.text`")
    tokens: Annotated[int, Field(ge=2)] = Field(default=16384, description="how many tokens of the text to use at most")
