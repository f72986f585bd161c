"""Why a step is not reused: what differs from the nearest one that was made before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.stage import Stage
from gpt2forge.store.record import Record


@dataclass(frozen=True)
class Difference:
    """One value of a pre-image that differs; a path such as ("section", "granularity"), None where it was not there."""

    path: tuple[str, ...]
    old: Any
    new: Any


def explain(stage: Stage, pre_image: Mapping[str, Any], earlier: Sequence[Record]) -> str:
    """One sentence; `earlier` are the stage's records, newest first."""
    if not earlier:
        return "not built before"
    differences = min((list(compare(record.pre_image, pre_image)) for record in earlier), key=len)
    if not differences:
        return "its artifact is gone or damaged"
    return "; ".join(say(stage, difference) for difference in differences)


def compare(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """What differs between two pre-images. An input that is not made yet (None) differs from nothing."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            yield from compare(old.get(name), new.get(name), (*path, name))
    elif old != new and not (path[0] == "inputs" and new is None):
        yield Difference(path, old, new)


def say(stage: Stage, difference: Difference) -> str:
    part, *rest = difference.path
    name = ".".join(rest)
    change = f"{show(difference.old)} -> {show(difference.new)}"
    if part == "inputs":
        return f"{name} changed"
    if part == "code":
        return "gpt2forge's own code changed"
    if part == "tools":
        return f"{name} {change}"
    if part == "version":
        return f"version of the stage {change}"
    return f"`{'.'.join((stage.section or '' if part == 'section' else part, *rest))}` {change}"


def show(value: Any) -> str:
    """A value as a recipe writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    return str(value)
