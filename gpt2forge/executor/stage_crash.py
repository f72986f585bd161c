"""The error of a stage that met a bug in gpt2forge."""

from pathlib import Path


class StageCrash(Exception):
    """A stage ended because of a bug in gpt2forge; its log has the traceback, and `last` the last line of that."""

    def __init__(self, stage: str, log: Path, last: str) -> None:
        super().__init__(f"`{stage}` failed inside gpt2forge: {last}; its log is `{log}`")
        self.log, self.last = log, last
