"""Hides a library while another is imported that would import it for nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(library: str, importer: str) -> Iterator[None]:
    """Make imports of `library` fail while `importer` is imported, as if it were not installed.

    Does nothing if this process has imported one of them before: the importer remembers what it found.
    """
    if not {library, importer}.isdisjoint(sys.modules):
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]  # see the documentation of `import`
    try:
        yield
    finally:
        del sys.modules[library]
