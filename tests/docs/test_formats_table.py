"""Every row of the table of formats in docs/models.md names a test of that format, and every format has a row."""

import re
from collections.abc import Iterator

from gpt2forge.checkpoint.formats import FORMATS
from gpt2forge.checkpoint.huggingface.weight_files import KINDS
from tests.workshop import ROOT

PAGE = (ROOT / "docs/models.md").read_text()
TITLE = "## Formats that were tried"


def list_rows() -> Iterator[list[str]]:
    """Yield the cells of each row."""
    section = PAGE.partition(TITLE)[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("| format "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_row_names_a_test_that_is_there() -> None:
    rows = list(list_rows())
    assert len(rows) > 10
    for row in rows:
        (name,) = re.findall(r"`(test_\w+\.py)`", row[-1])
        assert (ROOT / "tests/checkpoint" / name).is_file(), row


def test_every_format_and_every_kind_of_weight_file_has_a_row() -> None:
    cells = " ".join(row[0].lower() for row in list_rows())
    for title in (*(each.title for each in FORMATS), *(kind.suffix.lstrip(".") for kind in KINDS)):
        assert title.lower() in cells, title
