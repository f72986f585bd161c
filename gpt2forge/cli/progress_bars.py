"""The bars of a run on a terminal: one for all steps, and one for each that runs. They fit 80 columns."""

from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from gpt2forge.cli import console
from gpt2forge.executor.events import StepAdvanced, StepStarted
from gpt2forge.terminal_text import escape_line
from gpt2forge.units import format_amount, format_size

LONGEST_RECIPE = 18  # columns of a recipe's name
BAR = 8  # columns


class Elapsed(ProgressColumn):
    """The time since a bar began, as in `0:03` or `1:02:03`."""

    def render(self, task: Task) -> Text:
        return Text(format_duration(task.elapsed or 0))


class Remaining(ProgressColumn):
    """The rate of a step and the seconds left; while there is no rate, what the step is expected to take."""

    def render(self, task: Task) -> Text:
        expected = task.fields["expected"]
        left = expected - (task.elapsed or 0) if expected else 0
        return Text(task.fields["far"] or (f"~{left:.0f} s left" if left > 0.5 else ""))


def format_duration(seconds: float) -> str:
    """Format a duration as hours, minutes and seconds; hours only if there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def hold_bars(bars: Progress) -> AbstractContextManager[Any]:
    """Return the lock under which rich draws bars, also in a thread of its own.

    A line that is printed above them draws them again. If both happened at once, each would wipe as many rows as the
    other has drawn, and a bar would stay on the screen.
    """
    lock: AbstractContextManager[Any] = bars.live._lock  # rich has no other name for it
    return lock


def make_bars(terminal: Console) -> Progress:
    """Return bars that vanish when they stop. They need no more than ASCII but for the bar, which rich adapts."""
    return Progress(
        SpinnerColumn("line", finished_text=" "),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(BAR),
        Elapsed(Column(no_wrap=True)),
        TextColumn("{task.fields[memory]}", markup=False, table_column=Column(no_wrap=True)),
        Remaining(Column(no_wrap=True, overflow="ellipsis")),
        console=terminal,
        transient=True,
        disable=not console.is_watched(terminal),
    )


def name_bar(recipe: str, stage: str) -> str:
    """Name the bar of a step; the middle of a long recipe's name is left out, and none stands before a single one's."""
    half = LONGEST_RECIPE // 2
    short = recipe if len(recipe) <= LONGEST_RECIPE else f"{recipe[: half - 2]}...{recipe[1 - half :]}"
    return f"{short}  {stage:<10}" if recipe else f"{stage:<10}"


def add_bar(bars: Progress, name: str, total: int | None = None) -> TaskID:
    """Add a bar; without a total it only shows that something goes on."""
    return bars.add_task(escape_line(name), total=total, far="", memory="", expected=None)


def start_bar(bars: Progress, bar: TaskID, event: StepStarted) -> None:
    """Note what a step is expected to take."""
    bars.update(bar, expected=event.expected_seconds)


def advance_bar(bars: Progress, bar: TaskID, event: StepAdvanced) -> None:
    """Move a bar, and show the rate and the seconds left."""
    left = "" if event.seconds_left is None else f", {event.seconds_left:.0f} s left"
    far = f"{format_amount(event.rate, event.unit)}/s{left}"
    bars.update(bar, completed=event.done, total=event.total, far=far)


def show_memory(bars: Progress, bar: TaskID, memory: int) -> None:
    """Show the memory that a step uses, in bytes."""
    bars.update(bar, memory=format_size(memory))
