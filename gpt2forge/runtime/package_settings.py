"""The settings of generation_config.json that mean the same to `generate` as to transformers.

1. With `do_sample: true`, tokens are drawn; what is not named has the value that transformers gives it.
2. With `do_sample: false`, the likeliest token is taken.
3. A file without `do_sample` says nothing of how tokens are chosen, because most of them were never thought about.
4. `speculative` is gpt2forge's own: {"draft": "prompt-lookup" or "draft", "tokens": "auto" or a number}.

A value of a wrong type or out of range is ignored: other tools read the file too, each by its own rules.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from gpt2forge.checkpoint.untrusted_text import read_object

FILE = "generation_config.json"
DRAFT = "draft"
"""The folder of a package that holds its draft, and the word for its guesses."""
LOOKUP = "prompt-lookup"
AUTO = "auto"

TEMPERATURE, TOP_P = 0.8, 0.95
"""How tokens are drawn where neither the package nor the caller says."""

Test = Callable[[Any], bool]
Guesses = tuple[str, int | None]
"""What guesses tokens, LOOKUP or DRAFT, and how many at once; None means as many as pay."""

DRAWN: Mapping[str, tuple[Any, Test]] = {
    "temperature": (1.0, lambda value: is_positive(value)),
    "top_k": (50, lambda value: type(value) is int and value >= 0),
    "top_p": (1.0, lambda value: is_number(value) and 0 < value <= 1),
    "min_p": (0.0, lambda value: is_number(value) and 0 <= value <= 1),
}
"""The settings of drawn tokens by their names in both: what transformers takes without them, and what may be there."""
OURS = {"temperature": TEMPERATURE, "top_k": 0, "top_p": TOP_P, "min_p": 0.0}
PENALTY = "repetition_penalty"


def is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def is_positive(value: Any) -> bool:
    return is_number(value) and value > 0


def is_count(value: object) -> bool:
    return type(value) is int and value > 0


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that a package names, by the names that `Generation` has. Raises UserError if damaged."""
    return take_settings(read_generation(folder))


def read_generation(folder: Path) -> dict[str, Any]:
    """Return the content of a package's generation_config.json; empty if it has none. Raises UserError if damaged."""
    path = folder / FILE
    return read_object(path) if path.is_file() else {}


def take_settings(generation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a generation_config.json names, by the names that `Generation` has for them."""
    found: dict[str, Any] = {}
    if generation.get("do_sample") is True:
        found = {name: take(generation, name, is_valid, usual) for name, (usual, is_valid) in DRAWN.items()}
    elif generation.get("do_sample") is False:
        found = {"temperature": 0.0}
    penalty = generation.get(PENALTY)
    if is_positive(penalty):
        found[PENALTY] = penalty
    if is_count(generation.get("max_new_tokens")):
        found["usual_tokens"] = generation["max_new_tokens"]
    return found


def take(generation: Mapping[str, Any], name: str, is_valid: Test, usual: Any) -> Any:
    """Return a value if it is valid, else the usual one."""
    return generation[name] if is_valid(generation.get(name)) else usual


def take_guesses(generation: Mapping[str, Any]) -> Guesses | None:
    """Return what guesses tokens by rule 4; None if nothing does."""
    found = generation.get("speculative")
    if not isinstance(found, dict) or found.get("draft") not in (LOOKUP, DRAFT):
        return None
    tokens = found.get("tokens")
    return found["draft"], tokens if is_count(tokens) else None


def set_settings(generation: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a generation_config.json that also names `wanted`, the values of `generation:` without those not given.

    What neither names is as `generate` has it, so that every host chooses tokens in the same way.
    """
    before = take_settings(generation)
    if before.get("temperature") == 0 and wanted.keys() & OURS.keys():
        before = {}  # the checkpoint draws nothing, and a filter of the tokens to draw from would have no effect
    drawing = {name: wanted.get(name, before.get(name, usual)) for name, usual in OURS.items()}
    kept = {name: value for name, value in generation.items() if name not in (*DRAWN, "do_sample")}
    named = {PENALTY: wanted.get(PENALTY), "max_new_tokens": wanted.get("max_tokens")}
    made = {**kept, **{name: value for name, value in named.items() if value is not None}}
    if drawing["temperature"] == 0:
        return {**made, "do_sample": False}
    if drawing["min_p"] == 0:
        del drawing["min_p"]  # which hosts do not know it, and which take 0 for none, differs
    return {**made, "do_sample": True, **drawing}
