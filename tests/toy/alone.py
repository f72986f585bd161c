"""A toy stage that must run alone on its machine, and fails if another one runs beside it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import Inputs, Metrics, Target
from tests.toy import meet


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    return meet.run(inputs, section, target, out)


STAGE = replace(meet.STAGE, name="alone", run=run, alone=True, on_host=True)
