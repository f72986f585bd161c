"""Text from elsewhere as it may reach a terminal: each character that a terminal obeys or hides becomes an escape.

Names, keys, values, paths and messages of errors pass through here, however they came to be. Escaped text stays as it
is when it is escaped again. The stamp's text is printed with this module, so it imports nothing that takes time.
"""

TYPE_CHECKING = False  # typing's own takes longer to import than the rest of a build that has nothing to do
if TYPE_CHECKING:
    from collections.abc import Iterable


def escape(text: str, kept: str = "\n\t") -> str:
    """Return the text with every character that is not printable, but those in `kept`, as in `\\x1b` or `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in kept else ascii(each)[1:-1] for each in text)


def escape_line(text: str) -> str:
    """Return the text on one line, escaped."""
    return escape(text, kept="")


def align(rows: "Iterable[Iterable[str]]") -> str:
    """Format rows of cells as lines; each column is as wide as its widest cell. Cells are escaped."""
    shown = [[escape_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in shown
    )
