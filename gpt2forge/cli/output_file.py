"""Files that a user names for a command to write."""

from pathlib import Path

from gpt2forge.errors import UserError
from gpt2forge.store.atomic import replace_text


def check_output_file(path: Path) -> None:
    """Raise UserError, before any work, for a place where no file can be written; a pipe would be waited for."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is a {'folder' if path.is_dir() else 'device or a pipe'}; name a file to write")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder `{path.parent}`; make it, or name another file")


def write_output_file(path: Path, text: str) -> None:
    """Write a file in one step, in place of an earlier one."""
    check_output_file(path)
    replace_text(path, text)
