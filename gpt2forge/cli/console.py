"""Output for people and programs: messages on stderr, data on stdout.

Everything but JSON is escaped here, so that no name, value or path from a file can move the cursor, set the title or
hide a part of a line; nothing is read as rich's markup.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.segment import Segment, Segments
from rich.text import Text

from gpt2forge.terminal_text import align as align
from gpt2forge.terminal_text import escape, escape_line

NARROWEST = 20  # columns
UNREAD = 1  # exit code, as rich has it too


def open_terminal(is_error: bool = False) -> Console:
    """Open stdout or stderr. A terminal that claims to have no columns would be shown nothing."""
    terminal = Console(stderr=is_error)
    if terminal.width < NARROWEST:
        terminal.width = NARROWEST
    return terminal


def is_watched(terminal: Console) -> bool:
    """Return whether a person sees what is written. A log of CI is none, even where FORCE_COLOR asks for colours."""
    return terminal.is_terminal and terminal.file.isatty()


def inform(message: str, terminal: Console | None = None) -> None:
    """Write a message to stderr. While bars are shown there, `terminal` is theirs; any other would write into them."""
    print_line(terminal or open_terminal(is_error=True), Text(escape(message)))


def warn(message: str, terminal: Console | None = None) -> None:
    """Write a warning to stderr, as `inform` writes a message."""
    print_line(terminal or open_terminal(is_error=True), Text("warning: ", "yellow") + Text(escape_line(message)))


def report_error(message: str) -> None:
    """Write an error to stderr; each line of it is one fault."""
    terminal = open_terminal(is_error=True)
    for line in message.split("\n"):
        print_line(terminal, Text("error: ", "red") + Text(escape_line(line)))


def print_line(terminal: Console, line: Text) -> None:
    """Print one line, however long, whose text is escaped already."""
    terminal.print(line, soft_wrap=True, highlight=False)


def write(text: str) -> None:
    """Write text to stdout, and flush."""
    write_unchanged(escape(text))


def write_generated(text: str) -> None:
    """Write what a model generated: unchanged to a file or a program, escaped to a terminal."""
    write_unchanged(escape(text) if sys.stdout is not None and sys.stdout.isatty() else text)


def write_unchanged(text: str) -> None:
    """Write text to stdout, and flush. Exit with status 1, in silence, if the program that reads it has ended."""
    if sys.stdout is None:  # the caller may have closed it
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would flush the rest at exit
        raise click.exceptions.Exit(UNREAD) from error


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, on one line."""
    write(json.dumps(value) + "\n")


def write_rows(rows: Sequence[Sequence[str]], colours: Mapping[str, str]) -> None:
    """Write aligned rows to stdout, one line each however long; `colours` holds styles of rows by their first cell."""
    terminal = open_terminal()
    if terminal.color_system is None:
        write_unchanged(align(rows))
        return
    segments: list[Segment] = []
    for row, line in zip(rows, align(rows).splitlines(), strict=True):
        segments += (Segment(line, terminal.get_style(colours.get(row[0], "none"))), Segment.line())
    terminal.print(Segments(segments), soft_wrap=True, end="")  # at once: a print of each line takes half a millisecond
