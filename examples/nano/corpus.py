"""The text: the Python standard library's own sources, one file in 25 held out."""

import sysconfig
from pathlib import Path

LEFT_OUT = {"test", "tests", "idle_test", "encodings", "pydoc_data", "site-packages"}


def list_sources() -> list[Path]:
    """The standard library's files in order, without tests, tables of characters and what was installed beside it."""
    library = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in library.rglob("*.py") if not LEFT_OUT & set(path.relative_to(library).parts))


def split(sources: list[Path]) -> tuple[list[str], list[str]]:
    """The texts to train on, and those held out: every i with i % 25 == 7."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sources]
    training = [text for index, text in enumerate(texts) if index % 25 != 7]
    return training, [text for index, text in enumerate(texts) if index % 25 == 7]
