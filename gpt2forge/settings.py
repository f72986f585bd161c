"""`gpt2forge.yaml` in the working directory: limits on the disk and memory of the store and a build, remote levels.

Nothing in it changes a result, so it enters no key.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from gpt2forge.errors import RecipeError, UserError
from gpt2forge.recipe.faults import explain
from gpt2forge.recipe.merge import drop_nulls
from gpt2forge.recipe.project import SETTINGS
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.unknown_keys import explain_unknown, list_unknown, remove
from gpt2forge.recipe.yaml import Node, read_document
from gpt2forge.remote.address import hide_password, parse_remote
from gpt2forge.remote.signing import is_public
from gpt2forge.units import PERCENTAGE, SIZE, parse_percentage, parse_size

FILE = Path(SETTINGS)
WRITTEN = Annotated[str, Field(pattern=f"^({SIZE})$")] | Annotated[int, Field(ge=0)]
SHARED = Annotated[str, Field(pattern=f"^({PERCENTAGE})$")] | WRITTEN


def write_plain(value: Any) -> Any:
    """Return a bare number, which means bytes, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def read_size(value: Any) -> int:
    """Return a size in bytes. Raises ValueError for what is no size."""
    return parse_size(text if isinstance(text := write_plain(value), str) else "")


def check_memory(value: Any) -> str:
    """Raise ValueError unless the value is a share from 1 to 100 per cent, or a size above 0 bytes."""
    text = write_plain(value)
    try:
        share = parse_percentage(text)
        fits = parse_size(text) > 0 if share is None else 0.01 <= share <= 1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ValueError("must be a percentage from `1%` to `100%`, or a size, as in `12GB`")
    return str(text)


def check_remote(text: str) -> str:
    """Raise ValueError unless a text is the address of a remote level."""
    parse_remote(text)
    return text


def check_key(text: str) -> str:
    """Raise ValueError unless a text is a public key."""
    if not is_public(text):
        raise ValueError("must be a public key, `ed25519:...`, as `gpt2forge key new FILE` prints it")
    return text


Size = Annotated[int, BeforeValidator(read_size, json_schema_input_type=WRITTEN)]
Memory = Annotated[str, BeforeValidator(check_memory, json_schema_input_type=SHARED)]


class StoreSettings(Section):
    """`store:`, how much is kept, and what is behind it."""

    max_size: Size | None = Field(
        default=None,
        description="how large the store may be after a build, as in `20GB`; what is cheapest to make again is removed",
    )
    remote: list[Annotated[str, AfterValidator(check_remote)]] = Field(
        default=[],
        description="levels behind the store, asked in order for what other machines have built: a folder, an address",
    )
    trusted: list[Annotated[str, AfterValidator(check_key)]] = Field(
        default=[], description="public keys; what none of them has signed is not taken from a remote level"
    )


class BuildSettings(Section):
    """`build:`, how much the steps that run at once may use."""

    jobs: Annotated[int, Field(ge=1)] | None = Field(default=None, description="how many steps run at once, at most")
    memory: Memory = Field(
        default="80%",
        description="how much memory these steps may use together: `80%` of the machine's, or a size, as in `12GB`",
    )

    def grant(self, total: int) -> int:
        """Return the memory, in bytes, that the steps may use on a machine with `total` bytes."""
        share = parse_percentage(self.memory)
        return parse_size(self.memory) if share is None else int(share * total)


class Settings(Section):
    """The whole file; every key has a default."""

    store: StoreSettings = Field(
        default=StoreSettings(), description="how much is kept, and the remote levels behind it"
    )
    build: BuildSettings = Field(default=BuildSettings(), description="how much the steps that run at once may use")


def load_settings(path: Path = FILE) -> Settings:
    """Return the settings of the file; all defaults if there is no file.

    Raises RecipeError with every fault at once, each with its place. Raises UserError if the file cannot be read, or
    ends in `.yml` and would be ignored.
    """
    if not os.path.lexists(path):
        misnamed = path.with_suffix(".yml")
        if os.path.lexists(misnamed):
            raise UserError(f"{misnamed}: is not read under this name; rename it to `{path.name}`")
        return Settings()
    return validate(drop_nulls(read_document(path, "this file", "`store: ...`, `build: ...`")), path)


def validate(document: Node, path: Path) -> Settings:
    """Return the document as settings. Raises RecipeError with all its faults."""
    unknown = list(list_unknown(document, Settings))
    faults = [explain_unknown(loc, document, Settings) for loc in unknown]
    try:
        settings = Settings.model_validate(remove(document, unknown).plain())
    except ValidationError as error:
        found = [explain(dict(detail), document, path) for detail in error.errors(include_url=False)]
        faults += [replace(fault, message=hide_password(fault.message)) for fault in found]
    if faults:
        raise RecipeError(faults)
    return settings
