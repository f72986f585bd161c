"""The stages in the order in which they run. A new stage is one file and one entry here."""

from gpt2forge.stages import benchmark, calibrate, configure, convert, export, fuse, quantize, reference, verify
from gpt2forge.stages.stage import Stage

STAGES: tuple[Stage, ...] = (
    *(convert.STAGE, export.STAGE, fuse.STAGE, calibrate.STAGE, quantize.STAGE),
    # configure is last, so that what is measured does not depend on how text is written.
    *(reference.STAGE, verify.STAGE, benchmark.STAGE, configure.STAGE),
)
MEASURING = tuple(stage.name for stage in STAGES if stage.optional)
"""The stages that measure the result but are not needed to make it."""
