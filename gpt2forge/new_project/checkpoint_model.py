"""The model that a new project is for: its path or address, its name, and what is known of it without its weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import Address, HubAddress, parse_address
from gpt2forge.new_project.held_out_text import find_held_out
from gpt2forge.new_project.starting_recipe import clean_name, describe_model, name_model
from gpt2forge.plan.explain_missing import explain_missing


@dataclass(frozen=True)
class Model:
    """A checkpoint as a recipe names it. `text` is a text that was held out, None if none is found."""

    checkpoint: str
    name: str
    about: str
    text: Path | None = None

    @property
    def is_inside(self) -> bool:
        """Return whether the checkpoint is in the project or comes from elsewhere by itself, so that CI finds it."""
        return self.is_fetched or not self.checkpoint.startswith(("/", ".."))

    @property
    def is_fetched(self) -> bool:
        """Return whether a build fetches the checkpoint from an address."""
        return parse_address(self.checkpoint) is not None

    @property
    def place_inside(self) -> str:
        """The folder in the project where the checkpoint is, or where it would be if it were copied into it."""
        if self.is_fetched or not self.is_inside:
            return f"checkpoints/{self.name}"
        path = Path(self.checkpoint)
        return str(path.parent if path.is_file() else path)


def inspect_model(checkpoint: str) -> Model:
    """Look at the checkpoint at a path or an address. Raises UserError if it cannot be built."""
    address = parse_address(checkpoint)
    return name_remote(address) if address else read_local(Path(checkpoint))


def name_remote(address: Address) -> Model:
    """Return the model at an address, which a build fetches."""
    name = address.repo.partition("/")[2] if isinstance(address, HubAddress) else address.model
    return Model(str(address), clean_name(name), f"from {address}")


def read_local(path: Path) -> Model:
    """Return the model at a path. Raises UserError if there is none, with the address that may be meant."""
    from gpt2forge.checkpoint.describe import describe_checkpoint  # it imports numpy

    try:
        about = describe_model(describe_checkpoint(path))
    except UserError as error:
        raise UserError(explain_missing(error, str(path), Path())) from error
    return Model(shorten(path), name_model(path), about, find_held_out(path))


def shorten(path: Path) -> str:
    """Return a path as it is written, but relative to the working directory if it is an absolute one inside."""
    here = Path(os.path.realpath(""))
    place = Path(os.path.realpath(path.parent), path.name)
    return str(place.relative_to(here)) if path.is_absolute() and place.is_relative_to(here) else str(path)
