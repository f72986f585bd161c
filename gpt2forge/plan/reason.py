"""Why a step is not reused: what differs from the nearest one that was made before."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpt2forge.plan.job import recall_files
from gpt2forge.stages.stage import Stage
from gpt2forge.store.records import Record
from gpt2forge.store.stat_cache import StatCache

THROWN_AWAY = "its artifact was thrown away"
FEW = 3  # names in a sentence; the rest is counted


@dataclass(frozen=True)
class Difference:
    """One value of a pre-image that differs; a path such as ("section", "granularity"), None where it was not there."""

    path: tuple[str, ...]
    old: Any
    new: Any


@dataclass(frozen=True)
class Nearest:
    """The record of a stage that differs in the fewest values; the newest of several."""

    record: Record
    differences: tuple[Difference, ...]


def find_nearest(pre_image: Mapping[str, Any], earlier: Sequence[Record]) -> Nearest | None:
    """`earlier` are the stage's records, newest first."""
    found = (Nearest(record, tuple(compare(record.pre_image, pre_image))) for record in earlier)
    return min(found, key=lambda nearest: len(nearest.differences), default=None)


def explain(stage: Stage, nearest: Nearest | None, stat_cache: StatCache) -> str:
    """One sentence."""
    if nearest is None:
        return "not built before"
    if not nearest.differences:
        return "its artifact is gone or damaged"
    changes = (difference for difference in nearest.differences if difference.path[0] != "code")
    sentences = [say(stage, difference, stat_cache) for difference in changes]
    modules = list_modules(nearest.differences)
    if modules:
        sentences.append("gpt2forge's own code changed" + ("" if modules == ["all"] else f": {enumerate_few(modules)}"))
    return "; ".join(sentences)


def compare(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
    """What differs between two pre-images. An input that is not made yet (None) differs from nothing."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            yield from compare(old.get(name), new.get(name), (*path, name))
    elif old != new and not (path[0] == "inputs" and new is None):
        yield Difference(path, old, new)


def say(stage: Stage, difference: Difference, stat_cache: StatCache) -> str:
    """One difference, but of code: there it takes a list."""
    part, *rest = difference.path
    name = ".".join(rest)
    change = show_change(difference)
    if part == "inputs":
        files = list_files(difference, stat_cache)
        return f"{name} changed" + (f": {enumerate_few(files)}" if files else "")
    if part == "tools":
        return f"{name} {change}"
    if part == "assumed":
        return "what an earlier version made was kept" if difference.new is None else f"assumed: {change}"
    if part == "version":
        return f"version of the stage {change}"
    return f"`{'.'.join((stage.section or '' if part == 'section' else part, *rest))}` {change}"


def list_modules(differences: Sequence[Difference]) -> list[str]:
    """The modules of ours that changed, came or went; "all" where an earlier version did not keep which."""
    paths = [difference.path for difference in differences if difference.path[0] == "code"]
    return [".".join(path[1:]) or "all" for path in paths]


def list_files(difference: Difference, stat_cache: StatCache) -> list[str]:
    """The files of a source that are others than they were, as far as both are known."""
    old, new = (recall_files(stat_cache, str(digest)) for digest in (difference.old, difference.new))
    return sorted(name for name in {**old, **new} if old.get(name) != new.get(name)) if old and new else []


def enumerate_few(names: Sequence[str]) -> str:
    rest = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(f"`{name}`" for name in names[:FEW]) + rest


def show_change(difference: Difference) -> str:
    """`old -> new`; the version of a tool that is not there is `not installed`."""
    values = (difference.old, difference.new)
    is_tool = difference.path[0] == "tools"
    return " -> ".join("not installed" if is_tool and value is None else show(value) for value in values)


def show(value: Any) -> str:
    """A value as a recipe writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
