"""gpt2forge, as `gpt2forge.load(...)` writes texts."""

from pathlib import Path

from gpt2forge.runtime.open_model import open_model


class Writer:
    def __init__(self, path: Path, threads: int) -> None:
        self.model = open_model(path, threads)

    def write(self, prompts: list[str], new: int) -> list[int]:
        """Write the likeliest texts; return how many tokens each has."""
        found = self.model.generate(prompts, new, batch=len(prompts), temperature=0.0, ignore_end=True)
        return [each.count for each in found]
