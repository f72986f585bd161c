"""What people see: messages on stderr, data on stdout, a bar only on a terminal. The only module that knows rich."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from gpt2forge.builder.build_events import BuildEvent, RunFinished
from gpt2forge.executor.events import StepAdvanced, StepFinished, StepStarted, StepWaiting
from gpt2forge.units import format_amount

COLOURS = {"built": "green", "reused": "cyan", "failed": "red", "skipped": "yellow"}
VERDICTS = {"done": "cyan", "will run": "green", "may run": "yellow", "cannot run": "red"}


def say(message: str) -> None:
    """One message for people."""
    Console(stderr=True, highlight=False).print(message, markup=False, soft_wrap=True)


def say_error(message: str) -> None:
    """What went wrong, a line for each fault."""
    terminal = Console(stderr=True, highlight=False)
    for line in message.splitlines():
        terminal.print("[red]error:[/red]", end=" ")
        terminal.print(line, markup=False, soft_wrap=True)


def say_warning(message: str) -> None:
    """What is fine and yet should be known."""
    Console(stderr=True, highlight=False).print(Text("warning: ", "yellow") + Text(message), soft_wrap=True)


def write(text: str) -> None:
    """Text on stdout, at once and as it is."""
    if sys.stdout is not None:  # somebody may have closed it
        sys.stdout.write(text)
        sys.stdout.flush()


def write_json(value: Any) -> None:
    """One JSON value on stdout, on one line."""
    write(json.dumps(value) + "\n")


def write_rows(rows: Sequence[Sequence[str]], colours: Mapping[str, str]) -> None:
    """Aligned rows on stdout, a line each however long; a first word that `colours` knows is coloured."""
    terminal = Console(highlight=False)
    for row, line in zip(rows, align(rows).splitlines(), strict=True):
        first = line[: len(row[0])]
        terminal.print(Text(first, colours.get(first.strip(), "")) + Text(line[len(first) :]), soft_wrap=True)


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


class RunView(AbstractContextManager["RunView"]):
    """Shows a run on stderr: a line a step, and below, on a terminal, a row for each step that runs.

    Where several recipes are built, `recipes` are their names, and each line says whose step it is; what several warn
    of is said once, and a recipe of which nothing is made has one line for all of its steps. `steps` is how many there
    are: a row counts them.
    """

    def __init__(self, recipes: Sequence[str] = (), steps: int = 0) -> None:
        self.terminal = Console(stderr=True, highlight=False)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[far]}"),
            console=self.terminal,
            transient=True,
            disable=not self.terminal.is_terminal,
        )
        self.rows: dict[str, TaskID] = {}
        self.sources: set[str] = set()
        self.idle: dict[str, list[Text]] = {name: [] for name in recipes if len(recipes) > 1}
        self.warnings: set[str] = set()
        self.width = max(map(len, recipes)) if len(recipes) > 1 else 0
        self.steps = steps

    def __enter__(self) -> "RunView":
        self.bars.start()
        if self.steps:
            self.count = self.bars.add_task("steps", total=self.steps, far=f"0 of {self.steps}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def show(self, event: BuildEvent) -> None:
        if isinstance(event, StepStarted):
            self.open_row(self.name(event.recipe, event.stage))
        elif isinstance(event, StepWaiting):
            self.terminal.print(f"waiting {self.name(event.recipe, event.stage)} for {event.what}", soft_wrap=True)
        elif isinstance(event, StepAdvanced):
            self.advance(event)
        elif isinstance(event, StepFinished):
            self.finish(event)
        elif isinstance(event, RunFinished):
            self.end(event.report.recipe, event.report.warnings)

    def name(self, recipe: str, stage: str) -> str:
        return f"{recipe:<{self.width}}  {stage:<10}" if self.width else f"{stage:<10}"

    def end(self, recipe: str, warnings: Sequence[str]) -> None:
        lines = self.idle.pop(recipe, [])
        if lines:
            self.terminal.print(Text("reused  ", "cyan") + Text(f"{recipe:<{self.width}}  all steps"), soft_wrap=True)
        for warning in warnings:
            if warning not in self.warnings:
                say_warning(f"{recipe}: {warning}" if self.width else warning)
            self.warnings.add(warning)

    def open_row(self, name: str) -> None:
        self.close_row(name)
        self.rows[name] = self.bars.add_task(name, total=None, far="")

    def close_row(self, name: str) -> None:
        if name in self.rows:
            self.bars.remove_task(self.rows.pop(name))

    def advance(self, event: StepAdvanced) -> None:
        name = self.name(event.recipe, event.stage)
        if name not in self.rows:
            self.open_row(name)
            self.sources.add(name)
        left = "" if event.seconds_left is None else f", {event.seconds_left:.0f} s left"
        rate = f"{format_amount(event.rate, event.unit)}/s"
        far = f"{format_amount(event.done, event.unit)} of {format_amount(event.total, event.unit)}, {rate}{left}"
        self.bars.update(self.rows[name], completed=event.done, total=event.total, far=far)
        if name in self.sources and event.done >= event.total:  # a source has been read; no step comes to its end
            self.close_row(name)

    def finish(self, event: StepFinished) -> None:
        outcome, name = event.outcome, self.name(event.recipe, event.outcome.stage)
        self.close_row(name)
        seconds = "" if outcome.outcome in ("reused", "skipped") else f"{outcome.seconds:.1f} s"
        line = f"{name} {seconds:>8}  {outcome.reason}".rstrip()
        self.write(event, Text(f"{outcome.outcome:<8}", COLOURS[outcome.outcome]) + Text(line))
        if self.steps:
            self.bars.advance(self.count)
            self.bars.update(self.count, far=f"{self.bars.tasks[0].completed:.0f} of {self.steps}")

    def write(self, event: StepFinished, line: Text) -> None:
        """A step's line, unless it may become one with those of all others of its recipe."""
        lines = self.idle.get(event.recipe)
        if lines is not None and event.outcome.outcome in ("reused", "skipped") and not event.outcome.reason:
            lines.append(line)
            return
        for each in (*self.idle.pop(event.recipe, ()), line):
            # In one piece: what has no line end yet would be wiped when the rows below are drawn anew.
            self.terminal.print(each, soft_wrap=True)


class JsonView(AbstractContextManager["JsonView"]):
    """Writes every event as one JSON object a line on stdout."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: BuildEvent) -> None:
        write_json(event.to_json())


def make_view(as_json: bool, recipes: Sequence[str] = (), steps: int = 0) -> RunView | JsonView:
    return JsonView() if as_json else RunView(recipes, steps)


Show = Callable[[BuildEvent], None]
