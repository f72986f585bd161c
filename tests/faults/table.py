"""The table of fault tests and their results, as in docs/reliability.md."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

HEAD = "| test | what was tried | times | what came of it |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """A test and its result; `times` is the number of rounds."""

    test: str
    what: str
    times: int
    result: str


def make_table(rows: Iterable[Row]) -> str:
    return HEAD + "".join(
        "| `{}` | {} | {} | {} |\n".format(*astuple(row)) for row in sorted(rows, key=lambda row: row.test)
    )
