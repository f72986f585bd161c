"""The second toy stage: repeats the text, or fails on request."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    (out / "text").write_text((inputs["text"] / "text").read_text() * section.times)
    if section.end == "fault":
        raise UserError("here: the text is bad; write a better one")
    if section.end == "crash":
        raise ValueError("a bug")
    if section.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if section.end == "orphan":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if section.end == "full":
        raise OSError(28, "No space left on device", str(out / "text"))
    if section.end == "sleep":
        (out / "asleep").write_text(str(os.getpid()))
        time.sleep(60)
    inputs.advance(1, 1, "texts")
    return {"times": section.times}


STAGE = Stage(
    name="repeat",
    section="repetition",
    target=(),
    reads=("text",),
    writes="text",
    tools=(),
    version=1,
    run=run,
)
