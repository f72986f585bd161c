"""Finds the artifacts that a report names, in the store of this machine."""

from pathlib import Path

from gpt2forge.builder.report import Report
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store


def find_artifact(report: Report, kind: str, store: Store) -> Path | None:
    """Return the folder of the artifact of this kind that a report names; None unless the store has it whole.

    A report may come from elsewhere, so what it names is looked up by its digest, and no path in it is followed.
    """
    makers = {stage.name for stage in STAGES if stage.writes == kind}
    digests = [step.digest for step in report.steps if step.stage in makers and step.digest]
    is_there = digests and DIGEST.fullmatch(digests[-1]) and store.artifacts.is_whole(digests[-1])
    return store.artifacts.folder(digests[-1]) if is_there else None
