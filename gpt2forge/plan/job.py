"""A job: what is asked for, as stages, sections and sources. Paths and names are in it, but enter no key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.artifact import make_manifest
from gpt2forge.stage import Section, Stage, Target
from gpt2forge.store.memo import Memo


@dataclass(frozen=True)
class Source:
    """Files that no step made: those of `folder` that a stage will read."""

    folder: Path
    files: tuple[str, ...]

    @property
    def size(self) -> int:
        return sum((self.folder / name).stat().st_size for name in self.files)

    def digest(self, memo: Memo, advance: Callable[[int, int, str], None]) -> str:
        """Names the content of the files; tells how far it is in bytes, where files must be read."""
        total, done = self.size, 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total, "B")

        return make_manifest(self.folder, list(self.files), lambda path: memo.digest(path, tell)).digest


@dataclass(frozen=True)
class Job:
    """The stages in order, the sections and target they read, and the sources by kind."""

    name: str
    stages: tuple[Stage, ...]
    sections: Mapping[str, Section]
    target: Target
    sources: Mapping[str, Source]

    def section_values(self, stage: Stage) -> dict[str, Any]:
        """The values of the section that a stage reads, as JSON; none where it reads none."""
        return self.sections[stage.section].model_dump(mode="json") if stage.section else {}
