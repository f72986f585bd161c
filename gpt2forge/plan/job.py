"""A job: the stages, sections and sources of a recipe. It holds paths and names, which enter no key."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_bytes
from gpt2forge.stages.stage import Advance, Section, Stage, Target
from gpt2forge.store.manifest import Manifest, make_manifest
from gpt2forge.store.stat_cache import StatCache, StatEntry, read_stat


@dataclass(frozen=True)
class Source:
    """Files that no step made: one file, or the files of a folder that `find` names."""

    path: Path
    find: Callable[[Path], tuple[str, ...]] | None = None

    @property
    def files(self) -> list[Path]:
        return [self.path] if self.find is None else [self.path / name for name in self.find(self.path)]

    @property
    def size(self) -> int:
        """The size in bytes."""
        return sum(file.stat().st_size for file in self.files)

    def read_stats(self) -> dict[Path, StatEntry]:
        """Return the stat of each file, which any write changes, even one of the same bytes."""
        return {file: read_stat(file) for file in self.files}

    def digest(self, stat_cache: StatCache, advance: Advance) -> str:
        """Return the digest of the present content. `advance` is called with the bytes that must be read for it."""
        if self.find is None:
            return stat_cache.digest(self.path)
        files = self.find(self.path)
        total, done = self.size, 0

        def count_read(count: int) -> None:
            nonlocal done
            done += count
            advance(done, total, "B")

        manifest = make_manifest(self.path, list(files), lambda path: stat_cache.digest(path, count_read))
        remember_files(stat_cache, manifest)
        return manifest.digest


def remember_files(stat_cache: StatCache, manifest: Manifest) -> None:
    """Remember the digest of each file, so that a later reason can name the file that changed."""
    name = name_files(manifest.digest)
    if stat_cache.recall(name) is None:
        stat_cache.remember(name, json.dumps({path: file.digest for path, file in manifest.files.items()}))


def recall_files(stat_cache: StatCache, digest: str) -> dict[str, str]:
    """Return the digests of the files of a source by name; empty if they are not known."""
    try:
        found = json.loads(stat_cache.recall(name_files(digest)) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def name_files(digest: str) -> str:
    return digest_bytes(b"files " + digest.encode())


@dataclass(frozen=True, kw_only=True)
class Job:
    """The stages in order, the sections and target they read, and the sources by kind.

    `skipped` are the stages that `--skip` left out, `assumed` the tools whose versions `--assume-equivalent` lets
    differ.
    """

    name: str
    stages: tuple[Stage, ...]
    sections: Mapping[str, Section]
    target: Target
    sources: Mapping[str, Source]
    skipped: tuple[Stage, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        return (*self.stages, *self.skipped)

    def list_until(self, until: str | None) -> tuple[Stage, ...]:
        """List the stages up to the one that `until` names; all stages if that is None."""
        names = [stage.name for stage in self.stages]
        return self.stages if until is None else self.stages[: names.index(until) + 1]

    def find_maker(self, stage: Stage, kind: str) -> Stage | None:
        """Return the last stage before `stage` that makes a kind; None if that kind is a source."""
        earlier = self.stages[: self.stages.index(stage)]
        return next((maker for maker in reversed(earlier) if maker.writes == kind), None)

    def find_section(self, stage: Stage) -> Section | None:
        return self.sections[stage.section] if stage.section else None

    def section_values(self, stage: Stage) -> dict[str, Any]:
        """Return the values of the section that a stage reads, as JSON; empty if it reads none."""
        if stage.section is None:
            return {}
        return self.sections[stage.section].model_dump(
            mode="json", include=None if stage.fields is None else set(stage.fields)
        )
