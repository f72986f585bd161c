"""`python -m gpt2forge.measure.session_holder`: a process that opens models and holds their sessions.

A request is {"folder": path of a folder with `model.onnx`}; the result is the process's anonymous memory in bytes.
"""

import os
from pathlib import Path
from typing import Any

from gpt2forge.measure.child import Send, serve
from gpt2forge.measure.memory import read_own
from gpt2forge.runtime.session import open_package

SESSIONS: list[Any] = []


def answer(request: dict[str, Any], send: Send) -> int:
    """Open a model with one thread, whose session lasts as long as the process."""
    SESSIONS.append(open_package(Path(request["folder"]), threads=1))
    return read_own(os.getpid()).anonymous


if __name__ == "__main__":
    serve(answer)
