"""What a stage is: one section of the recipe, what it reads, what it writes, and the function that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gpt2forge.digest import Written

Metrics = Mapping[str, Any]
"""Numbers of one step, as JSON values."""

PACKAGE = "package"
"""The kind of the artifact that is published."""

Advance = Callable[[int, int, str], None]
"""Called with (done, total, unit) as long work goes on; the unit of bytes is `B`."""


class Section(BaseModel):
    """A part of a recipe: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Target(Section):
    """The machine that the result is for."""

    device: Literal["cpu", "cuda"] = Field(description="the device that runs the result")
    cpu: Literal["any", "vnni"] = Field(
        default="any",
        description="the processors that run the result; `vnni`: those whose int8 products do not saturate "
        "(Intel since 2019, AMD since Zen 4)",
    )


@dataclass(frozen=True)
class Inputs:
    """What a stage reads, by kind: folders of artifacts, and sources.

    It tells by `advance` how far it is, and by `vouch`, once, which files it hashed as it wrote them, by name: so that
    they need not be read again.
    """

    paths: Mapping[str, Path]
    advance: Advance = lambda done, total, unit: None
    vouch: Callable[[Mapping[str, Written]], None] = lambda written: None

    def __getitem__(self, kind: str) -> Path:
        return self.paths[kind]


Run = Callable[[Inputs, Any, Target, Path], Metrics]
"""(inputs, section, target, out): `section` is the stage's own section class, or None where it reads none."""


@dataclass(frozen=True)
class Stage:
    """A kind of work, as data.

    `section` names the recipe section it reads (None: none), `fields` what it reads of it (None: all), `target` the
    fields of `target:`, `reads` the kinds of its inputs, `writes` the kind it makes, `tools` the distributions whose
    version its result depends on. `version` is raised when the result changes for a reason that none of these shows.

    `also_reads`: kinds that it reads only where its section asks for them.

    `optional`: a build may leave it out, for it tells of the result and makes none of it. `on_host`: what it finds
    holds for this machine only. `threaded`: it keeps all processors busy by itself, so that nothing runs beside it in
    a build. `alone`: the same, and no two of it run on a machine at once. `guess`: about how many bytes come
    out, given the section and the bytes that are read; `libraries`: bytes of memory that it takes before it reads any;
    `holds`: how much of what it reads is in memory at once, at most.
    """

    name: str
    section: str | None
    target: tuple[str, ...]
    reads: tuple[str, ...]
    writes: str
    tools: tuple[str, ...]
    version: int
    run: Run
    fields: tuple[str, ...] | None = None
    also_reads: Callable[[Any], tuple[str, ...]] = lambda section: ()
    optional: bool = False
    on_host: bool = False
    alone: bool = False
    threaded: bool = False
    guess: Callable[[Any, int], float] = lambda section, read: 0.01 * read
    libraries: int = 300 << 20
    holds: float = 1.0

    def settle(self, section: Section | None) -> "Stage":
        """The stage as this section has it: with all that it reads in `reads`."""
        return replace(self, reads=(*self.reads, *self.also_reads(section)), also_reads=lambda section: ())

    @property
    def takes_all(self) -> bool:
        """Whether it wants every processor."""
        return self.threaded or self.alone

    @property
    def module(self) -> str:
        """The importable module that holds this stage as `STAGE`; a worker process finds it there."""
        return self.run.__module__

    def tool_versions(self) -> dict[str, str]:
        return {tool: version(tool) for tool in self.tools}
