"""The view of `build --quiet`: warnings and errors alone."""

from gpt2forge.builder.build_events import BuildEvent, RunFinished
from gpt2forge.cli.run_view import RunView


class QuietView(RunView):
    """A run on stderr of which only the warnings are shown."""

    def __enter__(self) -> "QuietView":
        return self

    def show(self, event: BuildEvent) -> None:
        """Show the warnings of a recipe at its end, and nothing else."""
        if isinstance(event, RunFinished):
            self.idle.pop(event.report.recipe, None)
            self.end(event.report.recipe, event.report.warnings)
