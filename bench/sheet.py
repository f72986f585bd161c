"""A table as a value: printed in a terminal, and written in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

Column = tuple[str, Callable[[Any], str]]
"""A heading, and the cell's text for the value of a row."""


@dataclass(frozen=True)
class Sheet:
    """A table whose first column is words, the others numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_rich(self) -> Table:
        table = Table(title=escape(self.title), title_justify="left")
        for index, column in enumerate(self.columns):
            table.add_column(column, justify="right" if index else "left", no_wrap=not index)
        for row in self.rows:
            table.add_row(*(escape(cell) for cell in row))
        return table

    def to_markdown(self) -> str:
        ruler = ("---", *["--:"] * (len(self.columns) - 1))
        return f"{self.title}:\n\n" + write_rows((self.columns, ruler, *self.rows))

    def to_readme(self) -> str:
        """Return the table as the README has it: without a title, and all columns on the left."""
        ruler = f"|{'---|' * len(self.columns)}\n"
        return (write_rows([self.columns]) + ruler + write_rows(self.rows)).replace("|  |", "| |")


def make_sheet(title: str, first: str, items: Mapping[str, Any], *columns: Column) -> Sheet:
    """Return a table with a row for each item, whose name stands in the column `first`."""
    rows = [[name, *(cell(item) for _, cell in columns)] for name, item in items.items()]
    return Sheet(title, [first, *(heading for heading, _ in columns)], rows)


def write_rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def show_spread(spread: Mapping[str, float] | None, digits: int = 1) -> str:
    """Return the median, and the least and the largest in brackets; a dash where nothing was measured."""
    if not spread:
        return "-"
    return f"{spread['median']:.{digits}f} [{spread['least']:.{digits}f}..{spread['largest']:.{digits}f}]"


def show_ratio(value: float | None, whole: float | None, form: str) -> str:
    """Return one number as a part of another; a dash where one is missing."""
    return f"{value / whole:{form}}" if value and whole else "-"


def show_megabytes(size: float | None, digits: int = 1) -> str:
    return "-" if size is None else f"{size / 1e6:.{digits}f}"
