"""The class of every section: strict, frozen, no unknown keys. The worker of a stage imports none of this package."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of a recipe: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
