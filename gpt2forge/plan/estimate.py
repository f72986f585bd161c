"""Estimates of a step's time, space and memory: from the most similar earlier run, else from the bytes it reads.

An earlier run that read more or fewer bytes, of another checkpoint for example, is scaled by the bytes read.
"""

from dataclasses import dataclass

from gpt2forge.plan.job import Job
from gpt2forge.plan.nearest import Nearest
from gpt2forge.stages.stage import Stage

DECIDING = ("section", "target")  # the parts of a pre-image that decide how many bytes are written


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes that a step reads, writes to the store, and uses of anonymous memory at its peak.

    `seconds` is None if the stage never ran before.
    """

    seconds: float | None
    read: int
    written: int
    memory: int


def estimate(job: Job, stage: Stage, *, nearest: Nearest | None, read: int) -> Estimate:
    """Estimate from the most similar earlier run, for a stage that reads `read` bytes."""
    written = int(stage.guess(job.find_section(stage), read))
    memory = stage.libraries + int(stage.holds * read)
    if nearest is None:
        return Estimate(seconds=None, read=read, written=written, memory=memory)
    record = nearest.record
    if not record.bytes_read or record.bytes_written is None:
        return Estimate(seconds=record.seconds, read=read, written=written, memory=memory)
    scale = read / record.bytes_read
    if not any(difference.path[0] in DECIDING for difference in nearest.differences):
        written = int(record.bytes_written * scale)
    more = int(stage.holds * max(0, read - record.bytes_read))
    memory = record.peak_memory_bytes + more
    return Estimate(seconds=record.seconds * max(1.0, scale), read=read, written=written, memory=memory)
