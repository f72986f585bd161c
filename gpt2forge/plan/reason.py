"""Reasons why a step is not reused: the differences from an earlier run."""

import json
from collections.abc import Sequence
from typing import Any

from gpt2forge.plan.difference import Difference
from gpt2forge.plan.nearest import Nearest
from gpt2forge.plan.source import recall_files
from gpt2forge.stages.stage import Stage
from gpt2forge.store.stat_cache import StatCache

EVICTED = "its artifact was removed to make room"
FEW = 3  # names in a reason; the rest are counted


def explain(stage: Stage, nearest: Nearest | None, stat_cache: StatCache) -> str:
    """Explain in one sentence why a step must run."""
    if nearest is None:
        return "not built before"
    if not nearest.differences:
        return "its artifact is gone or damaged"
    changes = (difference for difference in nearest.differences if difference.path[0] != "code")
    clauses = [format_difference(stage, difference, stat_cache) for difference in changes]
    modules = list_modules(nearest.differences)
    if modules:
        clauses.append("gpt2forge's own code changed" + ("" if modules == ["all"] else f": {enumerate_few(modules)}"))
    return "; ".join(clauses)


def explain_new(nearest: str | None) -> str:
    """Explain why a step of a recipe that was never built runs; `nearest` is the recipe of the most similar run."""
    return f"new (nearest: `{nearest}`)" if nearest else "new"


def format_difference(stage: Stage, difference: Difference, stat_cache: StatCache) -> str:
    """Format one difference that is not of code."""
    part, *rest = difference.path
    name = ".".join(rest)
    change = format_transition(difference)
    if part == "inputs":
        files = list_files(difference, stat_cache)
        return f"{name} {format_input_change(difference)}" + (f": {enumerate_few(files)}" if files else "")
    if part == "tools":
        return f"{name} {change}"
    if part == "assumed":
        return "the earlier run assumed equivalent tools" if difference.new is None else f"assumed equivalent: {change}"
    if part in ("processor", "threads"):
        return f"made on another machine: {part} {change}"
    if part == "version":
        return f"version of the stage {change}"
    return f"`{'.'.join((stage.section or '' if part == 'section' else part, *rest))}` {change}"


def format_input_change(difference: Difference) -> str:
    """Format how an input differs from the one of the earlier run, which read all of its own."""
    if difference.old is None:
        return "is a new input"
    return "is no longer an input" if difference.new is None else "changed"


def list_modules(differences: Sequence[Difference]) -> list[str]:
    """List the modules of gpt2forge that changed; "all" where an old record does not list modules."""
    paths = [difference.path for difference in differences if difference.path[0] == "code"]
    return [".".join(path[1:]) or "all" for path in paths]


def list_files(difference: Difference, stat_cache: StatCache) -> list[str]:
    """List the files of a source that changed; none if either list of files is not known."""
    old, new = (recall_files(stat_cache, str(digest)) for digest in (difference.old, difference.new))
    return sorted(name for name in {**old, **new} if old.get(name) != new.get(name)) if old and new else []


def enumerate_few(names: Sequence[str]) -> str:
    """Join the first names; count the rest."""
    rest = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(f"`{name}`" for name in names[:FEW]) + rest


def format_transition(difference: Difference) -> str:
    """Format a difference as `old -> new`; the version of a missing tool is `not installed`."""
    values = (difference.old, difference.new)
    is_tool = difference.path[0] == "tools"
    return " -> ".join("not installed" if is_tool and value is None else format_value(value) for value in values)


def format_value(value: Any) -> str:
    """Format a value as a recipe writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
