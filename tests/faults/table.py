"""The table of what the fault tests tried, as docs/reliability.md shows it."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

HEAD = "| test | what was tried | times | what came of it |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """One test: `times` is how often it tried."""

    test: str
    what: str
    times: int
    came: str


def make_table(rows: Iterable[Row]) -> str:
    return HEAD + "".join(
        "| `{}` | {} | {} | {} |\n".format(*astuple(row)) for row in sorted(rows, key=lambda row: row.test)
    )
