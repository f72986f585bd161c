"""A toy stage that must run alone on its machine, and fails if another one runs beside it."""

from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target
from tests.toy import meet


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    return meet.run(inputs, section, target, out)


STAGE = Stage(
    name="alone",
    section="meeting",
    target=(),
    reads=("text",),
    writes="package",
    tools=(),
    version=1,
    run=run,
    alone=True,
    on_host=True,
)
