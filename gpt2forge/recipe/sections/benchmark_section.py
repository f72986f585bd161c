"""`benchmark:`, how speed and memory are measured."""

from typing import Annotated

from pydantic import Field

from gpt2forge.recipe.sections.section import Section

Count = Annotated[int, Field(ge=1)]


class Benchmark(Section):
    """The work of each system in a round, and the number of rounds."""

    prompt_tokens: Count = Field(default=64, description="length of the prompt in tokens")
    new_tokens: Annotated[int, Field(ge=2)] = Field(
        default=64, description="how many tokens to generate after the prompt"
    )
    rounds: Annotated[int, Field(ge=3)] = Field(default=5, description="how often each system is measured")
