"""The Stage type: a section of the recipe, the kinds it reads and writes, and the function that runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from gpt2forge.digest import Written

Metrics = Mapping[str, Any]
"""The numbers of one step, as JSON values."""

PACKAGE = "package"
"""The kind of the artifact that is published."""

DRAFT = "draft"
"""The kind of the package of another recipe, whose model guesses tokens."""

Advance = Callable[[int, int, str], None]
"""A callback for progress, called with (done, total, unit); the unit of bytes is `B`."""


class Target(Protocol):
    """The device and processors that run the result, as a recipe names them; a stage has the fields it declares."""

    @property
    def device(self) -> str: ...

    @property
    def cpu(self) -> str: ...

    @property
    def runtime(self) -> str | None: ...


@dataclass(frozen=True)
class Inputs:
    """The inputs of a stage: the paths of artifacts and sources, by kind.

    The stage calls `advance` to report progress. It may call `vouch`, once, with the files that it hashed while it
    wrote them, by name; the store does not read these again.
    """

    paths: Mapping[str, Path]
    advance: Advance = lambda done, total, unit: None
    vouch: Callable[[Mapping[str, Written]], None] = lambda written: None

    def __getitem__(self, kind: str) -> Path:
        return self.paths[kind]


Run = Callable[[Inputs, Any, Target, Path], Metrics]
"""A run function (inputs, section, target, out); `section` has the values that the stage reads, or is None."""


def read_no_more(section: Any) -> tuple[str, ...]:
    """Return no kinds. It is a function with a name, so that the stages of equal sections are equal."""
    return ()


@dataclass(frozen=True)
class Stage:
    """A kind of work, as data.

    `section` names the recipe section that it reads (None: none) and `fields` its fields, or properties of simple
    types, that decide the result (None: all fields). `target`
    names the fields of `target:` that it reads. `reads` are the kinds of its inputs; `also_reads` returns those that it
    reads only with certain values of its section. `writes` is the kind that it makes. `tools` are the distributions
    whose version its result depends on. `version` is raised if the result changes for a reason that none of these
    shows.

    `optional`: may be skipped, because it measures the result but is not needed to make it. `on_host`: its numbers hold
    for this machine only. `by_processor` returns whether, with a section, the last bits of its result depend on the
    processor, for which libraries choose their kernels. `threaded`: it uses all processors, so no other step of a build
    runs beside it. `alone`: the same, and only one such step runs on a machine at a time.

    For estimates: `guess` returns the bytes it writes, given the section and the bytes it reads. `libraries` is the
    memory in bytes that it uses before it reads anything. `holds` is the largest share of the bytes read that is in
    memory at once.
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
    also_reads: Callable[[Any], tuple[str, ...]] = read_no_more
    optional: bool = False
    on_host: bool = False
    by_processor: Callable[[Any], bool] = lambda section: False
    alone: bool = False
    threaded: bool = False
    guess: Callable[[Any, int], float] = lambda section, read: 0.01 * read
    libraries: int = 300 << 20
    holds: float = 1.0

    def for_section(self, section: Any) -> "Stage":
        """Return the stage with every kind that it reads for this section in `reads`."""
        return replace(self, reads=(*self.reads, *self.also_reads(section)), also_reads=read_no_more)

    @property
    def uses_all_processors(self) -> bool:
        """Return whether it uses every processor."""
        return self.threaded or self.alone

    @property
    def module(self) -> str:
        """The name of the module that holds this stage as `STAGE`, from which a worker imports it."""
        return self.run.__module__

    def tool_versions(self) -> dict[str, str]:
        """Return the installed version of each tool."""
        from importlib.metadata import version

        return {tool: version(tool) for tool in self.tools}
