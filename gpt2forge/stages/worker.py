"""The worker, `python -m gpt2forge.stages.worker`, which runs one stage on request from standard input.

It reads one line of JSON and imports the stage's module, but no other part of the program. It writes lines of JSON to
the descriptor that the request names: {"advance": [done, total, unit]}, at most once {"written": {file: {...}}}, then
one of {"metrics": {...}}, {"fault": an error that the user can fix} and {"crash": a bug}.
"""

import importlib
import json
import os
import sys
import threading
import typing
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from gpt2forge.stages.failure import describe_failure
from gpt2forge.stages.forge_json import write_provenance
from gpt2forge.stages.source_view import SourceView, open_sources
from gpt2forge.stages.stage import Inputs, Stage, Target
from gpt2forge.stages.throttle import Throttle


def main() -> int:
    """Run the requested stage, report its end, and return the exit code."""
    request = json.loads(sys.stdin.buffer.readline())
    with os.fdopen(request["events"], "w", buffering=1) as events:
        try:
            threading.Thread(target=leave_with_parent, daemon=True).start()
            sources = open_sources(request["inputs"], Path(request["view"]))
        except Exception as error:
            report_failure(request["name"], error, events)
        else:
            answer(request, sources, events)
    return 0


def answer(request: dict[str, Any], sources: SourceView, events: TextIO) -> None:
    """Run the requested stage and send its metrics. An error of the stage names the paths that users know."""
    try:
        metrics = run_stage(request, sources, events)
        sources.check()
    except Exception as error:
        report_failure(request["name"], error, events, sources.restore_names)
    else:
        send(events, {"metrics": metrics})


def report_failure(
    stage: str, error: Exception, events: TextIO, restore_names: Callable[[str], str] = lambda text: text
) -> None:
    """Send what ended a stage; raise a bug, so that the log has its traceback."""
    failure = {kind: restore_names(text) for kind, text in describe_failure(stage, error).items()}
    send(events, failure)
    if "crash" in failure:
        raise error


def leave_with_parent() -> None:
    """Exit when the parent ends: it writes no second line, and the pipe closes even if it is killed."""
    # Not through sys.stdin: the interpreter aborts at exit if a thread waits inside a buffered reader.
    os.read(0, 1)
    os._exit(1)


def run_stage(request: dict[str, Any], sources: SourceView, events: TextIO) -> dict[str, Any]:
    """Run the requested stage, write its provenance, and return its metrics."""
    stage: Stage = importlib.import_module(request["module"]).STAGE
    section = view_section(stage, request["section"])
    paths = {**{kind: Path(source["path"]) for kind, source in request["inputs"].items()}, **sources.paths}
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
    # Only the fields that the key covers: reading another one fails here instead of leaving a stale artifact.
    target = {field: request["target"][field] for field in stage.target}
    metrics = stage.run(inputs, section, typing.cast(Target, SimpleNamespace(**target)), out)
    write_provenance(out, stage, section=request["section"], target=target, inputs=request["inputs"])
    return dict(metrics)


def view_section(stage: Stage, values: dict[str, Any]) -> Any:
    """Return the values of the section that the stage reads as attributes; None if it reads none.

    These are the values that the key covers, validated and with their defaults, so the classes of the recipe, whose
    import takes as long as a small stage, are not needed here.
    """
    return None if stage.section is None else SimpleNamespace(**values)


def send(events: TextIO, message: dict[str, Any]) -> None:
    """Write one message."""
    events.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All files are closed, and an ordinary exit would take 0.1 s to unload numpy and onnx.
    os._exit(status)
