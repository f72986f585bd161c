"""The progress of long work on stderr: on a terminal, a bar for each thing that is being done."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.progress import TaskID

from gpt2forge.cli import console
from gpt2forge.cli.progress_bars import add_bar, advance_bar, make_bars, name_bar
from gpt2forge.executor.events import Event, StepAdvanced
from gpt2forge.held_interrupts import hold_interrupts


class ProgressView(AbstractContextManager["ProgressView"]):
    """Progress bars, one for each step or source, by its name. `width` is that of the column of recipes, 0 for none.

    Ctrl-C waits while bars are drawn: in the middle, it is not known how many rows there are to wipe.
    """

    def __init__(self, width: int = 0) -> None:
        self.terminal = console.open_terminal(is_error=True)
        self.bars = make_bars(self.terminal)
        self.rows: dict[str, TaskID] = {}
        self.sources: set[str] = set()
        self.width = width

    def __enter__(self) -> Self:
        try:
            self.begin()
        except KeyboardInterrupt:  # `with` calls no `__exit__` then
            self.bars.stop()
            raise
        return self

    @hold_interrupts()
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    @hold_interrupts()
    def begin(self) -> None:
        """Draw what is there from the start."""
        self.bars.start()

    @hold_interrupts()
    def show(self, event: Event) -> None:
        """Move the bar of an event."""
        if isinstance(event, StepAdvanced):
            self.advance(event)

    def name(self, recipe: str, stage: str) -> str:
        """Return the name of a step's row: the stage, after the recipe if there are several."""
        return f"{recipe:<{self.width}}  {stage:<10}" if self.width else f"{stage:<10}"

    def open_row(self, recipe: str, stage: str) -> TaskID:
        """Add the bar of a step that runs, and return it."""
        name = self.name(recipe, stage)
        self.close_row(name)
        self.rows[name] = add_bar(self.bars, name_bar(recipe if self.width else "", stage))
        return self.rows[name]

    def close_row(self, name: str) -> None:
        if name in self.rows:
            self.bars.remove_task(self.rows.pop(name))

    def advance(self, event: StepAdvanced) -> None:
        """Move a bar; a source, which no step announces, gets its own bar until it is read."""
        name = self.name(event.recipe, event.stage)
        if name not in self.rows:
            self.open_row(event.recipe, event.stage)
            self.sources.add(name)
        advance_bar(self.bars, self.rows[name], event)
        if name in self.sources and event.done >= event.total:  # no event ends a source
            self.close_row(name)
