"""The Stage type: a section of the recipe, the kinds it reads and writes, and the function that runs it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gpt2forge.digest import Written

Metrics = Mapping[str, Any]
"""The numbers of one step, as JSON values."""

PACKAGE = "package"
"""The kind of the artifact that is published."""

VERSION = re.compile(r"\d{1,2}\.\d{1,3}", re.ASCII)

Advance = Callable[[int, int, str], None]
"""A callback for progress, called with (done, total, unit); the unit of bytes is `B`."""


class Section(BaseModel):
    """A section of a recipe: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def check_version(value: Any) -> Any:
    """Raise ValueError unless the value is a version such as `1.23`. YAML takes one without quotes for a number."""
    if not (value is None or (isinstance(value, str) and VERSION.fullmatch(value))):
        raise ValueError('must be a version in quotes, as in "1.23"')
    return value


Version = Annotated[
    str,
    BeforeValidator(check_version),
    Field(json_schema_extra={"pattern": f"^{VERSION.pattern}$", "format": "version"}),
]


class Target(Section):
    """The device and processors that run the result."""

    device: Literal["cpu", "cuda"] = Field(description="the device that runs the result")
    cpu: Literal["any", "vnni"] = Field(
        default="any",
        description="the processors that run the result; `vnni`: those whose int8 products do not saturate "
        "(Intel since 2019, AMD since Zen 4)",
    )
    runtime: Version | None = Field(
        default=None,
        description='the oldest onnxruntime that must load the result, in quotes, as in `"1.23"`; any unless given',
    )


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
"""A run function (inputs, section, target, out); `section` is of the stage's section class, or None."""


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

    def for_section(self, section: Section | None) -> "Stage":
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
        return {tool: version(tool) for tool in self.tools}
