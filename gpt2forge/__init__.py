"""gpt2forge: a declarative build system that makes a fine-tuned GPT-2 small and fast on an ordinary CPU.

Nothing is imported before it is used. No import of ours may stand here: this module is in the key of every step, and so
would be all that it imports. What type checkers and editors read is `__init__.pyi`.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["Built", "Completion", "Generation", "Model", "Score", "UserError", "build", "load"]

PLACES = {
    "Built": "gpt2forge.api",
    "Completion": "gpt2forge.runtime.completion",
    "Generation": "gpt2forge.runtime.generation",
    "Model": "gpt2forge.runtime.model",
    "Score": "gpt2forge.runtime.score",
    "UserError": "gpt2forge.errors",
    "build": "gpt2forge.api",
    "load": "gpt2forge.api",
}


def __getattr__(name: str) -> object:
    if name not in PLACES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(importlib.import_module(PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *PLACES])
