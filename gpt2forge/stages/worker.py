"""The process that runs one stage: `python -m gpt2forge.stages.worker`, told on standard input what to do.

It reads one line of JSON, imports the stage's module and nothing else of the program, and writes lines of JSON to the
descriptor it was given: {"advance": [done, total, unit]} and at most once {"written": {file: {...}}}, then one of
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

from gpt2forge.errors import FIXABLE, UserError, format_os_error
from gpt2forge.stages.provenance import write_provenance
from gpt2forge.stages.stage import Inputs, Section, Stage, Target
from gpt2forge.stages.throttle import Pace


def main() -> int:
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=leave_with_parent, daemon=True).start()
    with os.fdopen(order["events"], "w", buffering=1) as events:
        try:
            tell(events, {"metrics": run_stage(order, events)})
        except UserError as error:
            tell(events, {"fault": str(error)})
        except OSError as error:
            if error.errno not in FIXABLE:
                tell(events, {"crash": name_error(error)})
                raise
            tell(events, {"fault": format_os_error(error)})
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "gpt2forge":
                tell(events, {"crash": name_error(error)})
                raise
            tell(
                events,
                {"fault": f"`{order['name']}` cannot import what it needs: {name_error(error)}; install it anew"},
            )
        except MemoryError:
            tell(events, {"fault": f"`{order['name']}` needs more memory than there is; free some and build again"})
        except Exception as error:
            tell(events, {"crash": name_error(error)})
            raise
    return 0


def name_error(error: Exception) -> str:
    """An error's kind and message on one line; the traceback goes to the log."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def leave_with_parent() -> None:
    """The parent never writes again: its end of the pipe closes when it dies, however it dies."""
    # Not through sys.stdin: a thread that waits inside a buffered reader makes the interpreter abort at its end.
    os.read(0, 1)
    os._exit(1)


def run_stage(order: dict[str, Any], events: TextIO) -> dict[str, Any]:
    stage: Stage = importlib.import_module(order["module"]).STAGE
    section = parse_section(stage, order["section"])
    paths = {kind: Path(source["path"]) for kind, source in order["inputs"].items()}
    pace = Pace(per_second=20)  # every line wakes the reader

    def advance(done: int, total: int, unit: str) -> None:
        if pace.is_due(done, total):
            tell(events, {"advance": [done, total, unit]})

    inputs = Inputs(
        paths,
        advance,
        vouch=lambda written: tell(events, {"written": {name: asdict(file) for name, file in written.items()}}),
    )
    out = Path(order["out"])
    # Only what the key covers: a stage that reads another field of the target fails here, not by a stale artifact.
    target = {field: order["target"][field] for field in stage.target}
    metrics = stage.run(inputs, section, typing.cast(Target, SimpleNamespace(**target)), out)
    write_provenance(out, stage, order["section"], target, order["inputs"])
    return dict(metrics)


def parse_section(stage: Stage, values: dict[str, Any]) -> Section | None:
    """The section as the class that the stage's run function asks for; None where the stage reads none.

    A stage that reads some fields gets these and no others, as with the target.
    """
    if stage.section is None:
        return None
    if stage.fields is not None:
        return typing.cast(Section, SimpleNamespace(**{field: values[field] for field in stage.fields}))
    section: Section = typing.get_type_hints(stage.run)["section"].model_validate(values)
    return section


def tell(events: TextIO, message: dict[str, Any]) -> None:
    events.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # What was made is closed, and taking numpy and onnx apart piece by piece would take a tenth of a second.
    os._exit(status)
