"""The process that runs one stage, `python -m gpt2forge.stages.worker`, as standard input requests.

It reads one line of JSON, imports the stage's module and nothing else of the program, and writes lines of JSON to the
descriptor that it was given: {"advance": [done, total, unit]} and at most once {"written": {file: {...}}}, then one of
{"metrics": {...}}, {"fault": what a user can fix} and {"crash": a bug}.
"""

import importlib
import json
import os
import sys
import threading
import typing
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from gpt2forge.stages.failure import describe_failure
from gpt2forge.stages.provenance import write_provenance
from gpt2forge.stages.stage import Inputs, Section, Stage, Target
from gpt2forge.stages.throttle import Throttle


def main() -> int:
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=leave_with_parent, daemon=True).start()
    with os.fdopen(request["events"], "w", buffering=1) as events:
        try:
            send(events, {"metrics": run_stage(request, events)})
        except Exception as error:
            failure = describe_failure(request["name"], error)
            send(events, failure)
            if "crash" in failure:
                raise
    return 0


def leave_with_parent() -> None:
    """End when the parent does: it never writes again, and its end of the pipe closes however it dies."""
    # Not through sys.stdin: a thread that waits inside a buffered reader makes the interpreter abort at its end.
    os.read(0, 1)
    os._exit(1)


def run_stage(request: dict[str, Any], events: TextIO) -> dict[str, Any]:
    stage: Stage = importlib.import_module(request["module"]).STAGE
    section = parse_section(stage, request["section"])
    paths = {kind: Path(source["path"]) for kind, source in request["inputs"].items()}
    throttle = Throttle(per_second=20)  # every line wakes the reader

    def advance(done: int, total: int, unit: str) -> None:
        if throttle.is_due(done, total):
            send(events, {"advance": [done, total, unit]})

    inputs = Inputs(
        paths,
        advance,
        vouch=lambda written: send(events, {"written": {name: asdict(file) for name, file in written.items()}}),
    )
    out = Path(request["out"])
    # Only what the key covers: a stage that reads another field of the target fails here, not by a stale artifact.
    target = {field: request["target"][field] for field in stage.target}
    metrics = stage.run(inputs, section, typing.cast(Target, SimpleNamespace(**target)), out)
    write_provenance(out, stage, request["section"], target, request["inputs"])
    return dict(metrics)


def parse_section(stage: Stage, values: dict[str, Any]) -> Section | None:
    """Return the section as the class that the stage's run function takes; None where the stage reads none.

    A stage that reads some fields gets these and no others, as with the target.
    """
    if stage.section is None:
        return None
    if stage.fields is not None:
        return typing.cast(Section, SimpleNamespace(**{field: values[field] for field in stage.fields}))
    section: Section = typing.get_type_hints(stage.run)["section"].model_validate(values)
    return section


def send(events: TextIO, message: dict[str, Any]) -> None:
    events.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # What was made is closed, and taking numpy and onnx apart piece by piece would take a tenth of a second.
    os._exit(status)
