"""Artifacts of other tool versions, which `--assume-equivalent TOOL` lets a step use as its own.

1. Only the versions of the named tools may differ; the newest such artifact is used. A tool need not be installed.
2. Measuring steps run again: their numbers show whether the assumption holds.
3. A package records the assumption in its forge.json, so it is another artifact with another key. Every other artifact
   keeps its content and its key. A build without the option never uses a package that records an assumption.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.errors import UserError, suggest
from gpt2forge.plan.difference import compare
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key
from gpt2forge.stages.stage import PACKAGE, Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Equivalent:
    """An artifact of other tool versions: {tool: (its version, the version now, None if not installed)}."""

    record: Record
    tools: Mapping[str, tuple[str, str | None]]

    @property
    def reason(self) -> str:
        changes = ", ".join(f"{tool} {old} -> {new or 'not installed'}" for tool, (old, new) in self.tools.items())
        return f"kept: {changes} is assumed equivalent"


def find_equivalent(job: Job, stage: Stage, *, pre_image: Mapping[str, Any], store: Store) -> Equivalent | None:
    """Return the artifact that may stand for a step; None if its own exists, none fits, or nothing is assumed."""
    if stage.optional or not set(stage.tools) & set(job.assumed) or store.find(stage.name, make_key(pre_image)):
        return None
    for record in store.records.list(stage.name):
        tools = list_tools(record.pre_image, pre_image)
        if tools and set(tools) <= set(job.assumed) and store.find(stage.name, record.key):
            return Equivalent(record, tools)
    return None


def list_tools(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """List the tools whose versions differ between two pre-images; none if anything else differs."""
    differences = list(compare(old, new))
    if any(difference.path[0] != "tools" or difference.old is None for difference in differences):
        return {}
    return {difference.path[1]: (difference.old, difference.new) for difference in differences}


def assume(stage: Stage, pre_image: Mapping[str, Any], equivalent: Equivalent) -> Mapping[str, Any]:
    """Return the pre-image of a step that uses an equivalent artifact, by rule 3."""
    if stage.writes != PACKAGE:
        return equivalent.record.pre_image
    return {**pre_image, "assumed": {tool: list(versions) for tool, versions in equivalent.tools.items()}}


def check_assumed(stages: Sequence[Stage], assumed: Sequence[str]) -> None:
    """Raise UserError for a tool that no making step uses."""
    known = sorted({tool for stage in stages if not stage.optional for tool in stage.tools})
    for tool in assumed:
        if tool not in known:
            raise UserError(
                f"`--assume-equivalent {tool}`: no part of the result is made with it{suggest(tool, known)}"
            )
