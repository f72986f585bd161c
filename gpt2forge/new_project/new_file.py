"""The files of a new project, made from templates, which are files beside this one. Nothing is ever overwritten."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class NewFile:
    """A file to write, by its path in the project."""

    path: str
    text: str


def fill(template: str, **values: str) -> str:
    """Return the text of a template, in which each `@NAME@` stands for the value `name`."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub("@([A-Z]+)@", lambda found: values[found[1].lower()], text)


def write_new(file: NewFile) -> bool:
    """Write a file unless anything has its path; return whether it was written."""
    path = Path(file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(file.text)
    return True
