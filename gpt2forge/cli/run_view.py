"""Views of a run: lines and progress bars for people, JSON lines for programs."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from gpt2forge.builder.build_events import BuildEvent, RunFinished, SourceFetched
from gpt2forge.cli import console
from gpt2forge.executor.events import StepAdvanced, StepFinished, StepStarted, StepWaiting
from gpt2forge.terminal_text import escape_line
from gpt2forge.units import format_amount, format_size

COLOURS = {"built": "green", "reused": "cyan", "failed": "red", "skipped": "yellow"}


class RunView(AbstractContextManager["RunView"]):
    """A run on stderr: one line for each finished step and, on a terminal, a progress bar for each running step.

    `recipes` are the names of the recipes. If there are several, each line names its recipe, each warning appears once,
    and a recipe whose steps are all reused has one line. `steps` is the number of all steps; a bar counts them.
    """

    def __init__(self, recipes: Sequence[str] = (), steps: int = 0) -> None:
        self.terminal = console.open_terminal(is_error=True)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[far]}", markup=False),
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
        """Show one event."""
        if isinstance(event, StepStarted):
            self.open_row(self.name(event.recipe, event.stage))
        elif isinstance(event, StepWaiting):
            self.print(Text(f"waiting {self.name(event.recipe, event.stage)} for {escape_line(event.what)}"))
        elif isinstance(event, StepAdvanced):
            self.advance(event)
        elif isinstance(event, StepFinished):
            self.finish(event)
        elif isinstance(event, SourceFetched):
            self.show_fetched(event)
        elif isinstance(event, RunFinished):
            self.end(event.report.recipe, event.report.warnings)

    def name(self, recipe: str, stage: str) -> str:
        """Return the name of a step's row: the stage, after the recipe if there are several."""
        return f"{recipe:<{self.width}}  {stage:<10}" if self.width else f"{stage:<10}"

    def end(self, recipe: str, warnings: Sequence[str]) -> None:
        """Show the end of a recipe's run: its held lines as one, and warnings that were not shown before."""
        lines = self.idle.pop(recipe, [])
        if lines:
            self.print(Text("reused  ", "cyan") + Text(f"{recipe:<{self.width}}  all steps"))
        for warning in warnings:
            if warning not in self.warnings:
                console.warn(f"{recipe}: {warning}" if self.width else warning)
            self.warnings.add(warning)

    def open_row(self, name: str) -> None:
        self.close_row(name)
        self.rows[name] = self.bars.add_task(name, total=None, far="")

    def close_row(self, name: str) -> None:
        if name in self.rows:
            self.bars.remove_task(self.rows.pop(name))

    def advance(self, event: StepAdvanced) -> None:
        """Move a bar; a source, which no step announces, gets its own bar until it is read."""
        name = self.name(event.recipe, event.stage)
        if name not in self.rows:
            self.open_row(name)
            self.sources.add(name)
        left = "" if event.seconds_left is None else f", {event.seconds_left:.0f} s left"
        rate = f"{format_amount(event.rate, event.unit)}/s"
        far = f"{format_amount(event.done, event.unit)} of {format_amount(event.total, event.unit)}, {rate}{left}"
        self.bars.update(self.rows[name], completed=event.done, total=event.total, far=far)
        if name in self.sources and event.done >= event.total:  # no event ends a source
            self.close_row(name)

    def finish(self, event: StepFinished) -> None:
        """Replace the bar of a step by its line."""
        outcome, name = event.outcome, self.name(event.recipe, event.outcome.stage)
        self.close_row(name)
        seconds = "" if outcome.outcome in ("reused", "skipped") else f"{outcome.seconds:.1f} s"
        line = f"{name} {seconds:>8}  {escape_line(outcome.reason)}".rstrip()
        self.write(event, Text(f"{outcome.outcome:<8}", COLOURS[outcome.outcome]) + Text(line))
        if self.steps:
            self.bars.advance(self.count)
            self.bars.update(self.count, far=f"{self.bars.tasks[0].completed:.0f} of {self.steps}")

    def show_fetched(self, event: SourceFetched) -> None:
        """Show the line of a checkpoint that was fetched."""
        self.close_row(self.name(event.recipe, "fetch"))
        commit = f", commit {event.commit}" if event.commit else ""
        address = escape_line(event.address)
        self.print(Text("fetched ", "green") + Text(f"{address}: {format_size(event.bytes)}{commit}"))

    def print(self, line: Text) -> None:
        """Print one line, however long, above the bars; its text is escaped already."""
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


def make_view(
    as_json: bool, recipes: Sequence[str] = (), steps: int = 0, kind: type[RunView] = RunView
) -> RunView | JsonView:
    return JsonView() if as_json else kind(recipes, steps)
