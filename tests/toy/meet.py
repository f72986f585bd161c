"""A toy stage that succeeds only if others run beside it, or only if none does."""

import time
from pathlib import Path
from typing import Any

from gpt2forge.errors import UserError
from gpt2forge.stages.stage import Inputs, Metrics, Stage, Target

PATIENCE = 60.0  # seconds


def run(inputs: Inputs, section: Any, target: Target, out: Path) -> Metrics:
    place = Path(section.place)
    (place / section.name).touch()
    if section.wants == "company":
        wait_for_company(place)
    else:
        stay_alone(place)
        (place / section.name).unlink()
    (out / "text").write_text(section.name)
    return {}


def wait_for_company(place: Path) -> None:
    began = time.monotonic()
    while len(list(place.iterdir())) < 2:
        if time.monotonic() - began > PATIENCE:
            raise UserError("no other stage runs")
        time.sleep(0.01)


def stay_alone(place: Path) -> None:
    for _ in range(30):
        if len(list(place.iterdir())) > 1:
            raise UserError("another stage runs")
        time.sleep(0.01)


STAGE = Stage(
    name="meet",
    section="meeting",
    target=(),
    reads=("text",),
    writes="package",
    tools=(),
    version=1,
    run=run,
)
