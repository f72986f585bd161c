"""`gpt2forge copy`: copies a published directory as ordinary files, to ship."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from gpt2forge.builder.outputs import find_output
from gpt2forge.builder.result import Result, hold_result
from gpt2forge.cli import console
from gpt2forge.cli.older_result import force_option, warn_of_older
from gpt2forge.cli.options import json_option
from gpt2forge.digest import digest_file
from gpt2forge.errors import UserError
from gpt2forge.store.manifest import File, Manifest
from gpt2forge.store.stat_cache import StatEntry, read_stat
from gpt2forge.store.temporary import make_temporary
from gpt2forge.units import format_size


@click.command("copy")
@click.argument("selector", metavar="RECIPE")
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@force_option
@json_option
def copy(selector: str, folder: Path, force: bool, as_json: bool) -> None:
    """Copy a built recipe to a new folder, to ship. The copies are ordinary, writable files."""
    output = find_output(selector)
    warn_of_older(output, force)
    with hold_result(output) as result:
        check_folder(folder, result)
        copied = copy_result(result, folder)
    if as_json:
        console.write_json({"folder": str(folder), "files": list(copied.files)})
    else:
        console.write(f"{folder}  {len(copied.files)} files, {format_size(copied.size)}\n")


def check_folder(folder: Path, result: Result) -> None:
    """Raise UserError unless the folder is new or empty, and not inside the result."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; name a new folder")
    if folder.resolve().is_relative_to(result.folder.resolve()):
        raise UserError(f"{folder}: is inside the directory to copy; name a folder elsewhere")


def copy_result(result: Result, folder: Path) -> Manifest:
    """Copy all files or none, and return what was copied.

    Raises UserError if the copy is not the artifact that was built, or if files changed meanwhile.
    """
    try:
        with make_temporary(folder.parent, "copy") as aside:
            result.check_sizes()
            before = list_stats(result)
            copied = Manifest({name: copy_file(result.folder / name, aside / name) for name in before})
            result.check_manifest(copied)
            check_unchanged(result, before)
            aside.replace(folder)
    except OSError as error:
        is_source = error.filename2 is None and str(error.filename).startswith(f"{result.folder}/")
        line = f"{folder}: cannot be written: {error.strerror}; name another folder"
        raise UserError(result.format_damage() if is_source else line) from error
    return copied


def list_stats(result: Result) -> dict[str, StatEntry]:
    """Return the stat of each file by its relative path, in order."""
    files = [path for path in result.folder.rglob("*") if path.is_file()]
    return {path.relative_to(result.folder).as_posix(): read_stat(path) for path in sorted(files)}


def copy_file(source: Path, target: Path) -> File:
    """Copy a file without its mode, because the store's files are read-only, and describe what was written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return File(digest_file(target), target.stat().st_size)


def check_unchanged(result: Result, before: Mapping[str, StatEntry]) -> None:
    """Raise UserError if a file of a directory that is no artifact has changed, or came or went."""
    if not result.is_artifact and list_stats(result) != before:
        raise UserError(f"{result.output}: changed while it was copied; copy it again when nothing writes to it")
