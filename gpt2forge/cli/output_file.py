"""Files that a user names for a command to write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import write_whole


def file_option(name: str, help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return an option that names a file to write."""
    return click.option(name, metavar="FILE", type=click.Path(path_type=Path), help=help)


def check_output_file(path: Path) -> None:
    """Raise UserError, before any work, for a place where no file can be written; a pipe would be waited for."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a {'folder' if path.is_dir() else 'device or a pipe'}; name a file to write")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder `{path.parent}`; make it, or name another file")


def write_output_file(path: Path, data: bytes) -> None:
    """Write a file in one step, in place of an earlier one."""
    check_output_file(path)
    write_whole(path, data)
