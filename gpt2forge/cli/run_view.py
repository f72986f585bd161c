"""Views of a run: lines and progress bars for people, JSON lines for programs."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from rich.text import Text

from gpt2forge.builder.build_events import BuildEvent, RunFinished, RunPlanned, SourceFetched
from gpt2forge.cli import console
from gpt2forge.cli.progress_bars import add_bar, hold_bars, show_memory, start_bar
from gpt2forge.cli.progress_view import ProgressView
from gpt2forge.cli.time_left import TimeLeft
from gpt2forge.executor.events import StepFinished, StepSampled, StepStarted, StepWaiting
from gpt2forge.held_interrupts import hold_interrupts
from gpt2forge.terminal_text import escape_line
from gpt2forge.units import format_size

COLOURS = {"built": "green", "reused": "cyan", "failed": "red", "skipped": "yellow"}


class RunView(ProgressView):
    """A run on stderr: one line for each finished step and, on a terminal, a progress bar for each running step.

    `recipes` are the names of the recipes. If there are several, each line names its recipe, each warning appears once,
    and a recipe whose steps are all reused has one line. `steps` is the number of all steps; a bar counts them.
    """

    def __init__(self, recipes: Sequence[str] = (), steps: int = 0) -> None:
        super().__init__(max(map(len, recipes)) if len(recipes) > 1 else 0)
        self.idle: dict[str, list[Text]] = {name: [] for name in recipes if len(recipes) > 1}
        self.warnings: set[str] = set()
        self.steps = steps
        self.ended = 0
        self.left = TimeLeft()

    @hold_interrupts()
    def begin(self) -> None:
        """Draw the bar of all steps."""
        super().begin()
        if self.steps:
            self.count = add_bar(self.bars, "steps", self.steps)
            self.show_count()

    @hold_interrupts()
    def show(self, event: BuildEvent) -> None:
        """Show one event."""
        if isinstance(event, RunPlanned):
            self.left.plan(event.expected)
        elif isinstance(event, StepStarted):
            self.left.start(event.recipe, event.stage)
            start_bar(self.bars, self.open_row(event.recipe, event.stage), event)
        elif isinstance(event, StepWaiting):
            self.print(Text(f"waiting {self.name(event.recipe, event.stage)} for {escape_line(event.what)}"))
        elif isinstance(event, StepSampled):
            self.show_memory(event)
        elif isinstance(event, StepFinished):
            self.finish(event)
        elif isinstance(event, SourceFetched):
            self.show_fetched(event)
        elif isinstance(event, RunFinished):
            self.end(event.report.recipe, event.report.warnings)
        else:
            super().show(event)
        if self.steps:
            self.show_count()

    def end(self, recipe: str, warnings: Sequence[str]) -> None:
        """Show the end of a recipe's run: its held lines as one, and warnings that were not shown before."""
        lines = self.idle.pop(recipe, [])
        if lines:
            self.print(Text("reused  ", "cyan") + Text(f"{recipe:<{self.width}}  all steps"))
        for warning in warnings:
            if warning not in self.warnings:
                self.warn(f"{recipe}: {warning}" if self.width else warning)
            self.warnings.add(warning)

    def show_memory(self, event: StepSampled) -> None:
        """Show the memory of a step that runs."""
        name = self.name(event.recipe, event.stage)
        if name in self.rows:
            show_memory(self.bars, self.rows[name], event.memory_bytes)

    def show_count(self) -> None:
        """Show how many of all steps have ended, and the seconds that the others are expected to take."""
        left = self.left.find()
        more = f", ~{left:.0f} s left" if left > 0.5 else ""
        self.bars.update(self.count, completed=self.ended, far=f"{self.ended} of {self.steps}{more}")

    def finish(self, event: StepFinished) -> None:
        """Replace the bar of a step by its line."""
        outcome, name = event.outcome, self.name(event.recipe, event.outcome.stage)
        self.close_row(name)
        seconds = "" if outcome.outcome in ("reused", "skipped") else f"{outcome.seconds:.1f} s"
        line = f"{name} {seconds:>8}  {escape_line(outcome.reason)}".rstrip()
        self.write(event, Text(f"{outcome.outcome:<8}", COLOURS[outcome.outcome]) + Text(line))
        self.left.finish(event.recipe, outcome.stage)
        self.ended += 1

    def show_fetched(self, event: SourceFetched) -> None:
        """Show the line of a checkpoint that was fetched."""
        self.close_row(self.name(event.recipe, "fetch"))
        commit = f", commit {event.commit}" if event.commit else ""
        address = escape_line(event.address)
        self.print(Text("fetched ", "green") + Text(f"{address}: {format_size(event.bytes)}{commit}"))

    def inform(self, message: str) -> None:
        """Print a message above the bars."""
        with hold_bars(self.bars):
            console.inform(message, self.terminal)

    def warn(self, message: str) -> None:
        """Print a warning above the bars."""
        with hold_bars(self.bars):
            console.warn(message, self.terminal)

    def print(self, line: Text) -> None:
        """Print one line, however long, above the bars; its text is escaped already."""
        with hold_bars(self.bars):
            console.print_line(self.terminal, line)

    def write(self, event: StepFinished, line: Text) -> None:
        """Write the line of a step, or hold it while all steps of its recipe may become one line."""
        lines = self.idle.get(event.recipe)
        if lines is not None and event.outcome.outcome in ("reused", "skipped") and not event.outcome.reason:
            lines.append(line)
            return
        for each in (*self.idle.pop(event.recipe, ()), line):
            # In one piece: drawing the bars again would wipe a line that has no end yet.
            self.print(each)


class JsonView(AbstractContextManager["JsonView"]):
    """A run on stdout: every event as one JSON object a line."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: BuildEvent) -> None:
        console.write_json(event.to_json())

    def warn(self, message: str) -> None:
        console.warn(message)


def make_view(
    as_json: bool, recipes: Sequence[str] = (), steps: int = 0, kind: type[RunView] = RunView
) -> RunView | JsonView:
    return JsonView() if as_json else kind(recipes, steps)
