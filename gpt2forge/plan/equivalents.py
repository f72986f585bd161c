"""Keeping what an earlier version of a tool made, where somebody says that it makes the same: `--assume-equivalent`.

1. Only the versions of these tools may differ; of two that would do, the newest is kept. A tool need not be installed.
2. What measures is measured anew: that shows whether the assumption holds.
3. A package that is kept says so in its forge.json, and so is another artifact, with a key of its own. All else is as
   it was, and keeps its key. A build that assumes nothing never takes a package that was kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.errors import UserError, suggest
from gpt2forge.plan.job import Job
from gpt2forge.plan.key import make_key
from gpt2forge.plan.reason import compare
from gpt2forge.stages.stage import PACKAGE, Stage
from gpt2forge.store.records import Record
from gpt2forge.store.store import Store


@dataclass(frozen=True)
class Kept:
    """An artifact of earlier versions, and how they differ: {tool: (old, new)}; None: it is not installed."""

    record: Record
    tools: Mapping[str, tuple[str, str | None]]

    @property
    def reason(self) -> str:
        changes = ", ".join(f"{tool} {old} -> {new or 'not installed'}" for tool, (old, new) in self.tools.items())
        return f"kept: {changes} is taken to make the same"


def find_kept(job: Job, stage: Stage, pre_image: Mapping[str, Any], store: Store) -> Kept | None:
    """What may be kept of a step that this very version has not made; None where nothing is, or nothing is assumed."""
    if stage.optional or not set(stage.tools) & set(job.assumed) or store.find(stage.name, make_key(pre_image)):
        return None
    for record in store.records.list(stage.name):
        tools = list_tools(record.pre_image, pre_image)
        if tools and set(tools) <= set(job.assumed) and store.find(stage.name, record.key):
            return Kept(record, tools)
    return None


def list_tools(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """The tools whose versions are all that differs between two pre-images; none where more does."""
    differences = list(compare(old, new))
    if any(difference.path[0] != "tools" or difference.old is None for difference in differences):
        return {}
    return {difference.path[1]: (difference.old, difference.new) for difference in differences}


def revise(stage: Stage, pre_image: Mapping[str, Any], kept: Kept) -> Mapping[str, Any]:
    """The pre-image of a step that keeps something, by rule 3."""
    if stage.writes != PACKAGE:
        return kept.record.pre_image
    return {**pre_image, "assumed": {tool: list(versions) for tool, versions in kept.tools.items()}}


def check_assumed(stages: Sequence[Stage], assumed: Sequence[str]) -> None:
    """Raises UserError for what no step that makes something depends on."""
    known = sorted({tool for stage in stages if not stage.optional for tool in stage.tools})
    for tool in assumed:
        if tool not in known:
            raise UserError(f"`--assume-equivalent {tool}`: no step is made by it{suggest(tool, known)}")
