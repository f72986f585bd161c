"""`gpt2forge.yaml` in the working directory: what the store, and the steps of a build, may take of a machine.

Nothing in it changes what is made, so it is in no key.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from gpt2forge.errors import RecipeError, UserError
from gpt2forge.recipe.faults import explain
from gpt2forge.recipe.merge import drop_nulls
from gpt2forge.recipe.unknown_keys import explain_unknown, list_unknown, remove
from gpt2forge.recipe.yaml import Node, read_document
from gpt2forge.stages.stage import Section
from gpt2forge.units import PATTERN, parse_size

FILE = Path("gpt2forge.yaml")
PERCENTAGE = r"(\d{1,3}(?:\.\d{1,9})?)%"
WRITTEN = Annotated[str, Field(pattern=f"^({PATTERN})$")] | Annotated[int, Field(ge=0)]
SHARED = Annotated[str, Field(pattern=f"^({PERCENTAGE})$")] | WRITTEN


def write_plain(value: Any) -> Any:
    """A bare number as the text that it stands for: so many bytes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def read_size(value: Any) -> int:
    return parse_size(text if isinstance(text := write_plain(value), str) else "")


def read_share(text: str) -> float | None:
    """`80%` as 0.8; None for what is no percentage."""
    found = re.fullmatch(PERCENTAGE, text, re.ASCII)
    return float(found[1]) / 100 if found else None


def check_memory(value: Any) -> str:
    """Raises ValueError unless it is a share from 1 to 100 per cent, or a size above nothing."""
    text = write_plain(value)
    try:
        share = read_share(text)
        fits = parse_size(text) > 0 if share is None else 0.01 <= share <= 1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError("must be a percentage from `1%` to `100%`, or a size, as in `12GB`")
    return str(text)


Size = Annotated[int, BeforeValidator(read_size, json_schema_input_type=WRITTEN)]
Memory = Annotated[str, BeforeValidator(check_memory, json_schema_input_type=SHARED)]


class StoreSettings(Section):
    """`store:`, what is kept of what was made."""

    max_size: Size | None = Field(
        default=None,
        description="how large the store may be after a build, as in `20GB`; what is cheapest to make again goes",
    )


class BuildSettings(Section):
    """`build:`, what the steps that run at once may take."""

    jobs: Annotated[int, Field(ge=1)] | None = Field(default=None, description="how many steps run at once, at most")
    memory: Memory = Field(default="80%", description="of the machine's memory, as in `80%`, or a size, as in `12GB`")

    def grant(self, total: int) -> int:
        """Bytes that the steps that run at once may take, of a machine that has `total`."""
        share = read_share(self.memory)
        return parse_size(self.memory) if share is None else int(share * total)


class Settings(Section):
    """The whole file; every key has a default."""

    store: StoreSettings = Field(default=StoreSettings(), description="what is kept of what was made")
    build: BuildSettings = Field(default=BuildSettings(), description="what the steps that run at once may take")


def load_settings(path: Path = FILE) -> Settings:
    """The settings, all defaults where there is no such file.

    Raises RecipeError with every fault at once, each with its place; UserError when the file can't be read, or has
    the other ending and would be passed over.
    """
    if not os.path.lexists(path):
        misnamed = path.with_suffix(".yml")
        if os.path.lexists(misnamed):
            raise UserError(f"{misnamed}: is not read under this name; rename it to `{path.name}`")
        return Settings()
    return validate(drop_nulls(read_document(path, "this file", "`store: ...`, `build: ...`")), path)


def validate(document: Node, path: Path) -> Settings:
    """Raises RecipeError with every fault of the document."""
    unknown = list(list_unknown(document, Settings))
    faults = [explain_unknown(loc, document, Settings) for loc in unknown]
    try:
        settings = Settings.model_validate(remove(document, unknown).plain())
    except ValidationError as error:
        faults += [explain(dict(detail), document, path) for detail in error.errors(include_url=False)]
    if faults:
        raise RecipeError(faults)
    return settings
