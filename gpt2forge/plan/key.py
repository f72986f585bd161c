"""The key of a step: sha256 of its pre-image, which holds everything that decides its result and nothing else.

{stage, version, code: {module it reaches: digest}, section: its values, target: the values it reads,
 inputs: {kind: digest of the content}, tools: {distribution: version; null where it is not installed}}

A step whose result depends on the machine also has {host: its facts} or {processor: ..., threads: ...}.

The basis of a pre-image is everything but the inputs, and is known before any step runs. A step has no key while one
of its tools is not installed or one of its inputs is not made.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gpt2forge.digest import digest_value
from gpt2forge.plan.job import Job
from gpt2forge.plan.readings import Readings
from gpt2forge.stages import worker
from gpt2forge.stages.stage import Stage

Basis = Mapping[str, Any]
"""A pre-image without its inputs."""


def make_basis(job: Job, stage: Stage, readings: Readings) -> Basis:
    """Collect everything that decides the result of a stage in a job, except its inputs."""
    return {
        "stage": stage.name,
        "version": stage.version,
        "code": readings.digest_code(find_modules(stage)),
        "section": job.section_values(stage),
        "target": {field: getattr(job.target, field) for field in stage.target},
        "tools": readings.find_versions(stage),
        **describe_machine(job, stage, readings),
    }


def describe_machine(job: Job, stage: Stage, readings: Readings) -> dict[str, Any]:
    """Return what the result of a stage depends on of this machine; empty if it is the same on every machine."""
    if stage.on_host:
        return {"host": readings.describe_host()}
    if not stage.by_processor(job.find_section(stage)):
        return {}
    threads = {"threads": readings.describe_threads()} if stage.threaded else {}
    return {"processor": readings.describe_processor(), **threads}


def list_changes(stage: Stage, pre_image: Mapping[str, Any], readings: Readings) -> list[str]:
    """List the parts of a pre-image that differ here: the stage's version, code, tools, facts of the machine."""
    here: Mapping[str, Callable[[], Any]] = {
        "version": lambda: stage.version,
        "code": lambda: readings.digest_code(find_modules(stage)),
        "tools": lambda: readings.find_versions(stage),
        "host": readings.describe_host,
        "processor": readings.describe_processor,
        "threads": readings.describe_threads,
    }
    return [part for part, read in here.items() if part in pre_image and pre_image[part] != read()]


def add_inputs(basis: Basis, inputs: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the complete pre-image. `inputs` are digests by kind; None for an artifact that is not made yet."""
    return {**basis, "inputs": dict(inputs)}


def make_key(pre_image: Mapping[str, Any]) -> str:
    return digest_value(pre_image)


def find_modules(stage: Stage) -> tuple[Path, Path]:
    """Return the files whose code decides the result of a stage: its own, and the worker, which adds forge.json."""
    file = sys.modules[stage.module].__file__
    assert file is not None, f"{stage.module} has no file"
    return Path(file), Path(worker.__file__)
