"""A whole recipe as one pydantic model, and look-ups in it by path."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin

from pydantic import Field, StringConstraints

from gpt2forge.recipe.sections.benchmark_section import Benchmark
from gpt2forge.recipe.sections.calibration_section import Calibration
from gpt2forge.recipe.sections.fusion_section import Fusion
from gpt2forge.recipe.sections.generation_section import GenerationSection
from gpt2forge.recipe.sections.quantization_section import Quantization
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.sections.source_section import SourceSection
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.recipe.sections.verify_section import Verify

NAME = re.compile(r"^[A-Za-z0-9._@-]+$")
Loc = tuple[str | int, ...]


class Recipe(Section):
    """The checkpoint to build from, the machine to build for, and each step between. Equal recipes build the same."""

    name: Annotated[str, StringConstraints(pattern=NAME.pattern, max_length=200)] = Field(
        description="what the result is published as: the name of the file without `.yaml`"
    )
    source: SourceSection = Field(description="the checkpoint to start from")
    target: TargetSection = Field(description="the machine that the result is for")
    fusion: Fusion = Field(default=Fusion(), description="which parts of the graph are fused")
    quantization: Quantization = Field(default=Quantization().normalize(), description="how the weights are stored")
    calibration: Calibration | None = Field(
        default=None, description="the text that the quantized weights are fitted to, if `quantization` asks for it"
    )
    verify: Verify | None = Field(
        default=None, description="the text that the result is measured on, and how far it may differ from PyTorch"
    )
    benchmark: Benchmark | None = Field(default=None, description="how speed and memory are measured")
    generation: GenerationSection | None = Field(
        default=None, description="how the package writes text unless it is asked otherwise"
    )

    def normalize(self) -> "Recipe":
        """Return the recipe with all defaults filled in, those too that depend on other values."""
        return self.model_copy(update={"quantization": self.quantization.normalize()})


@lru_cache(maxsize=1024)
def locate_section(loc: Loc, model: type[Section] = Recipe) -> Any:
    """Return what stands at this path of a file that `model` describes: a section class, or the type of a value."""
    fields: Any = model
    for part in loc:
        fields = (
            get_args(fields)[1] if get_origin(fields) is dict else find_section(fields.model_fields[part].annotation)
        )
    return fields


def has_section(loc: Loc, model: type[Section] = Recipe) -> bool:
    return hasattr(locate_section(loc, model), "model_fields")


def has_patterns(loc: Loc, model: type[Section] = Recipe) -> bool:
    """Return whether the keys of the mapping at this path are patterns, which a user makes up."""
    return get_origin(locate_section(loc, model)) is dict


@lru_cache(maxsize=1024)
def section_fields(loc: Loc, model: type[Section] = Recipe) -> Sequence[str]:
    """Return the keys that the mapping at this path may have."""
    is_whole_recipe = not loc and model is Recipe
    return (*locate_section(loc, model).model_fields, *(("extends", "matrix") if is_whole_recipe else ()))


def find_section(annotation: Any) -> Any:
    """Return the section class that a field holds, whether the field is optional or not."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return parts[0] if parts else annotation
