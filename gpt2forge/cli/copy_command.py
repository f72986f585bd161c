"""`gpt2forge copy`: copies a published directory as ordinary files, to ship."""

import os
import shutil
from pathlib import Path

import click

from gpt2forge.builder.outputs import find_output
from gpt2forge.cli import console
from gpt2forge.cli.options import json_option
from gpt2forge.errors import UserError
from gpt2forge.units import format_size


@click.command("copy")
@click.argument("selector", metavar="RECIPE")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@json_option
def copy(selector: str, folder: Path, as_json: bool) -> None:
    """Copy a built recipe to a new folder, to ship. The copies are ordinary, writable files."""
    output = find_output(selector)
    check_folder(folder, output)
    names = sorted(path.name for path in output.iterdir())
    copy_files(output, names, folder)
    if as_json:
        console.write_json({"folder": str(folder), "files": names})
    else:
        size = sum((folder / name).stat().st_size for name in names)
        console.write(f"{folder}  {len(names)} files, {format_size(size)}\n")


def check_folder(folder: Path, output: Path) -> None:
    """Raise UserError unless the folder is new or empty, and not inside the output."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; name a new folder")
    if folder.resolve().is_relative_to(output.resolve()):
        raise UserError(f"{folder}: is inside the directory to copy; name a folder elsewhere")


def copy_files(output: Path, names: list[str], folder: Path) -> None:
    """Copy all files or none."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        aside.mkdir(parents=True)
        for name in names:
            shutil.copyfile(output / name, aside / name)  # without the mode: the store's files are read-only
        aside.replace(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; name another folder") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
