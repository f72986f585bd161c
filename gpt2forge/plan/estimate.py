"""What making a step will take: learnt from the nearest one that was made before, else guessed from what it reads.

A nearest one that read far less or more, another checkpoint's say, is scaled by what is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gpt2forge.plan.job import Job
from gpt2forge.plan.reason import Nearest
from gpt2forge.stages.stage import Stage
from gpt2forge.store.store import Store

DECIDING = ("section", "target")  # the parts of a pre-image that say how much comes out


@dataclass(frozen=True)
class Estimate:
    """Bytes that the step reads, leaves in the store, and takes of anonymous memory at its peak.

    `seconds` is None where no such step was made before.
    """

    seconds: float | None
    read: int
    written: int
    memory: int


def estimate(job: Job, stage: Stage, nearest: Nearest | None, read: int) -> Estimate:
    """What to expect of a stage that reads so many bytes."""
    written = int(stage.guess(job.find_section(stage), read))
    memory = stage.libraries + int(stage.holds * read)
    if nearest is None:
        return Estimate(None, read, written, memory)
    record = nearest.record
    if not record.bytes_read or record.bytes_written is None:
        return Estimate(record.seconds, read, written, memory)
    scale = read / record.bytes_read
    if not any(difference.path[0] in DECIDING for difference in nearest.differences):
        written = int(record.bytes_written * scale)
    more = int(stage.holds * max(0, read - record.bytes_read))
    return Estimate(record.seconds * max(1.0, scale), read, written, record.peak_memory_bytes + more)


def measure_inputs(job: Job, store: Store, inputs: Mapping[str, str]) -> int:
    """Bytes of what a step reads, given by kind and digest."""
    sources = job.sources
    return sum(sources[kind].size if kind in sources else store.artifacts.measure(inputs[kind]) for kind in inputs)
