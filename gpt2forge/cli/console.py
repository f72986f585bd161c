"""Output for people and programs: messages on stderr, data on stdout."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text


def inform(message: str) -> None:
    """Write a message to stderr."""
    Console(stderr=True, highlight=False).print(message, markup=False, soft_wrap=True)


def warn(message: str) -> None:
    """Write a warning to stderr."""
    Console(stderr=True, highlight=False).print(Text("warning: ", "yellow") + Text(message), soft_wrap=True)


def report_error(message: str) -> None:
    """Write an error to stderr; each line of it is one fault."""
    terminal = Console(stderr=True, highlight=False)
    for line in message.splitlines():
        terminal.print("[red]error:[/red]", end=" ")
        terminal.print(line, markup=False, soft_wrap=True)


def write(text: str) -> None:
    """Write text to stdout unchanged, and flush."""
    if sys.stdout is not None:  # the caller may have closed it
        sys.stdout.write(text)
        sys.stdout.flush()


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, on one line."""
    write(json.dumps(value) + "\n")


def write_rows(rows: Sequence[Sequence[str]], colours: Mapping[str, str]) -> None:
    """Write aligned rows to stdout, one line each however long; `colours` holds styles by a row's first cell."""
    terminal = Console(highlight=False)
    for row, line in zip(rows, align(rows).splitlines(), strict=True):
        first = line[: len(row[0])]
        terminal.print(Text(first, colours.get(first.strip(), "")) + Text(line[len(first) :]), soft_wrap=True)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Format rows of cells as lines; each column is as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
