"""A table as a value: it is printed in a terminal, and written in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True)
class Sheet:
    """The first column is words, the others numbers."""

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


def write_rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def show_spread(spread: Mapping[str, float] | None, digits: int = 1) -> str:
    """Median, and from the least to the largest; a dash where nothing was measured."""
    if not spread:
        return "-"
    return f"{spread['median']:.{digits}f} [{spread['least']:.{digits}f}..{spread['largest']:.{digits}f}]"
