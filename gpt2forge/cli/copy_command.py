"""`gpt2forge copy`: the published directory as ordinary files, to ship."""

import os
import shutil
from pathlib import Path

from gpt2forge.builder.outputs import find_output
from gpt2forge.cli import console
from gpt2forge.errors import UserError
from gpt2forge.units import format_size


def copy(reference: str, folder: Path, as_json: bool) -> None:
    """Copy what was published of a recipe into a folder that is new or empty, as files that can be written."""
    output = find_output(reference)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; name a new folder")
    if folder.resolve().is_relative_to(output.resolve()):
        raise UserError(f"{folder}: lies in what is to be copied; name a folder elsewhere")
    names = sorted(path.name for path in output.iterdir())
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")  # so that a copy is whole or not there
    try:
        aside.mkdir(parents=True)
        for name in names:
            shutil.copyfile(output / name, aside / name)  # the content only: the store's files are read-only
        aside.replace(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}; name another folder") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if as_json:
        console.write_json({"folder": str(folder), "files": names})
    else:
        console.write(
            f"{folder}  {len(names)} files, {format_size(sum((folder / name).stat().st_size for name in names))}\n"
        )
