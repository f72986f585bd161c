"""The view of `build --verbose`: every step when it starts and ends, with its key and artifact."""

from collections.abc import Sequence

from rich.text import Text

from gpt2forge.builder.build_events import BuildEvent
from gpt2forge.cli.run_view import RunView
from gpt2forge.executor.events import StepFinished, StepStarted
from gpt2forge.executor.outcome import Outcome
from gpt2forge.store.stat_cache import SHORT


class VerboseView(RunView):
    """A run on stderr in which no line stands for several steps."""

    def __init__(self, recipes: Sequence[str] = (), steps: int = 0) -> None:
        super().__init__(recipes, steps)
        self.idle.clear()  # the lines of a recipe are not held until they may become one

    def show(self, event: BuildEvent) -> None:
        """Show one event."""
        super().show(event)
        if isinstance(event, StepStarted):
            self.print(Text(f"started {self.name(event.recipe, event.stage)}".rstrip(), "dim"))
        elif isinstance(event, StepFinished) and event.outcome.key:  # a skipped step has none
            self.print(Text(f"        {describe_outcome(event.outcome)}", "dim"))


def describe_outcome(outcome: Outcome) -> str:
    """Describe where the store keeps a step."""
    artifact = f", artifact {outcome.digest[:SHORT]}" if outcome.digest else ""
    return f"key {str(outcome.key)[:SHORT]}{artifact}"
