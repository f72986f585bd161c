"""Finds the artifacts that a report names: their digests, and their folders in the store of this machine."""

from pathlib import Path

from gpt2forge.builder.report import Report
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.stat_cache import DIGEST
from gpt2forge.store.store import Store


def find_artifact(report: Report, kind: str, store: Store) -> Path | None:
    """Return the folder of the artifact of this kind that a report names; None unless the store has it whole.

    A report may come from elsewhere, so what it names is looked up by its digest, and no path in it is followed.
    """
    digest = find_digest(report, kind)
    is_there = digest and DIGEST.fullmatch(digest) and store.artifacts.is_whole(digest)
    return store.artifacts.folder(digest) if digest and is_there else None


def find_digest(report: Report, kind: str) -> str | None:
    """Return the digest of the last artifact of this kind that a report names; None if it names none."""
    makers = {stage.name for stage in STAGES if stage.writes == kind}
    digests = [step.digest for step in report.steps if step.stage in makers and step.digest]
    return digests[-1] if digests else None
