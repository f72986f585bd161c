"""Guesses the path that one means which leads nowhere: `~/x`, `$HOME/x`, `C:\\x`, a name with a slip of the pen."""

import os
import re
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

VARIABLE = re.compile(r"\$\{?\w")
DRIVE = re.compile(r"([A-Za-z]):[\\/](.*)", re.DOTALL)
MOST = 1000  # names of a folder that are compared
NEAR = 0.7  # of difflib's likeness: `mien` is near `mine`, and `mine` is not near `mine.yaml`


def suggest_path(text: str, folder: Path) -> str:
    """Return the end of a message: what a path that leads nowhere may mean; empty if nothing is likely.

    A relative path starts at `folder`.
    """
    if os.path.lexists(folder / text):
        return ""
    drive = DRIVE.fullmatch(text)
    if drive:
        rest = drive[2].replace("\\", "/")
        return f"; WSL has that path as `/mnt/{drive[1].lower()}/{rest}`"
    if text.startswith("~"):
        whole = f"`{Path(text).expanduser()}`" if is_own(text) else "the whole path"
        return f"; `~` is not replaced here; write {whole}"
    if VARIABLE.search(text):
        return "; variables are not replaced here; write the whole path"
    return suggest_slashes(text, folder) or suggest_sibling(text, folder)


def is_own(text: str) -> bool:
    return text == "~" or text.startswith("~/")


def suggest_slashes(text: str, folder: Path) -> str:
    """Return the end of a message: the same path with `/`, if that is there."""
    other = text.replace("\\", "/")
    return f"; did you mean `{other}`?" if other != text and os.path.lexists(folder / other) else ""


def suggest_sibling(text: str, folder: Path) -> str:
    """Return the end of a message: the path whose last name is nearest, of those that are there."""
    parent, names = Path(text).parent, []
    with suppress(OSError, ValueError), os.scandir(folder / parent) as found:
        names = [entry.name for _, entry in zip(range(MOST), found, strict=False)]
    close = get_close_matches(Path(text).name, names, n=1, cutoff=NEAR)
    return f"; did you mean `{parent / close[0]}`?" if close else ""
