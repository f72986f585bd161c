"""A job: the stages, sections and sources of a recipe. It holds paths and names, which enter no key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpt2forge.plan.source import Source
from gpt2forge.recipe.sections.section import Section
from gpt2forge.recipe.sections.target_section import TargetSection
from gpt2forge.stages.stage import DRAFT, PACKAGE, Stage


@dataclass(frozen=True, kw_only=True)
class Job:
    """The stages in order, the sections and target they read, and the sources by kind.

    `skipped` are the stages that `--skip` left out, `assumed` the tools whose versions `--assume-equivalent` lets
    differ. `is_new`: the recipe was never built here, so that any earlier run is another recipe's. `draft` is the job
    that makes the package of the model that guesses tokens, if a stage reads one.
    """

    name: str
    stages: tuple[Stage, ...]
    sections: Mapping[str, Section]
    target: TargetSection
    sources: Mapping[str, Source]
    skipped: tuple[Stage, ...] = ()
    assumed: tuple[str, ...] = ()
    is_new: bool = False
    draft: "Job | None" = None

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        return (*self.stages, *self.skipped)

    def list_until(self, until: str | None) -> tuple[Stage, ...]:
        """List the stages up to the one that `until` names; all stages if that is None."""
        names = [stage.name for stage in self.stages]
        return self.stages if until is None else self.stages[: names.index(until) + 1]

    @property
    def packer(self) -> Stage | None:
        """The last stage that makes a package, which is the published one; None if none does."""
        return next((stage for stage in reversed(self.stages) if stage.writes == PACKAGE), None)

    def reads_draft(self, until: str | None) -> bool:
        """Return whether a stage up to `until` reads the package of the draft."""
        return self.draft is not None and any(DRAFT in stage.reads for stage in self.list_until(until))

    def find_maker(self, stage: Stage, kind: str) -> Stage | None:
        """Return the last stage before `stage` that makes a kind; None if that kind is a source or the draft."""
        earlier = self.stages[: self.stages.index(stage)]
        return next((maker for maker in reversed(earlier) if maker.writes == kind), None)

    def list_by_processor(self) -> tuple[str, ...]:
        """List the stages that measure nothing and whose result, or an input of theirs, depends on the processor."""
        found: list[str] = []
        for stage in self.stages:
            makers = (self.find_maker(stage, kind) for kind in stage.reads)
            depends = (
                stage.by_processor(self.find_section(stage))
                or any(maker and maker.name in found for maker in makers)
                or (self.draft is not None and DRAFT in stage.reads and self.draft.depends_on_processor)
            )
            if depends and not stage.optional:
                found.append(stage.name)
        return tuple(found)

    @property
    def depends_on_processor(self) -> bool:
        """Return whether the package depends on the processor."""
        return self.packer is not None and self.packer.name in self.list_by_processor()

    def find_section(self, stage: Stage) -> Section | None:
        return self.sections[stage.section] if stage.section else None

    def section_values(self, stage: Stage) -> dict[str, Any]:
        """Return the values of the section that a stage reads, as JSON; empty if it reads none."""
        if stage.section is None:
            return {}
        section, fields = self.sections[stage.section], stage.fields
        if fields is None:
            return section.model_dump(mode="json")
        properties = [name for name in fields if name not in type(section).model_fields]
        values = section.model_dump(mode="json", include=set(fields))
        return {**values, **{name: getattr(section, name) for name in properties}}
