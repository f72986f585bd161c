"""The disk of the store: how much is free, and whether the store can be written and locked."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from gpt2forge.doctor.examination import Examination, Finding
from gpt2forge.settings import load_settings
from gpt2forge.store.inventory import measure_store
from gpt2forge.store.store import Store
from gpt2forge.units import format_size

LITTLE = 10 * 10**9  # bytes; a first build of GPT-2 774M in two schemes takes as many


def examine_disk(store: Path) -> Examination:
    """Look at the disk on which a store is, or would be. A file that has no name is made there and locked."""
    place = next(folder for folder in (store.absolute(), *store.absolute().parents) if folder.is_dir())
    used = measure_store(Store(store, is_read_only=True))
    free = shutil.disk_usage(place).free
    return describe_disk(store, free=free, used=used, most=load_settings().store.max_size, problem=try_lock(place))


def try_lock(folder: Path) -> str | None:
    """Lock a file in a folder; return what is wrong with that, or None."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return None


def describe_disk(store: Path, *, free: int, used: int, most: int | None, problem: str | None) -> Examination:
    """Return the examination; sizes in bytes, `most` is the limit of the settings."""
    values = {"store": str(store), "bytes": used, "free": free, "max_size": most}
    limit = "" if most is None else f" of {format_size(most)}"
    findings = []
    if free < LITTLE:
        fix = "`gpt2forge clean` removes what no result needs; `--store DIR` names a folder on another disk"
        findings.append(Finding("little", f"only {format_size(free)} are free where the store `{store}` is", fix))
    if problem:
        what = f"`{store}`: cannot be written and locked there: {problem}"
        findings.append(Finding("wrong", what, "name a folder on a local disk that is yours: `--store DIR`"))
    line = f"{format_size(free)} free, the store `{store}` has {format_size(used)}{limit}"
    return Examination("disk", values, line, tuple(findings))
