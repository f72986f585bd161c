"""The error of a stage that met a bug in gpt2forge."""

from pathlib import Path


class StageCrash(Exception):
    """A stage ended because of a bug in gpt2forge; its log has the traceback."""

    def __init__(self, stage: str, log: Path, last: str) -> None:
        super().__init__(f"`{stage}` failed inside gpt2forge: {last}; its log is `{log}`")
