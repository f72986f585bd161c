"""Descriptions of the error that ended a stage, for the process that started the worker."""

from typing import Any

from gpt2forge.errors import format_fixable, is_fixable


def describe_failure(stage: str, error: Exception) -> dict[str, Any]:
    """Return {"fault": one line} for an error that the user can fix, else {"crash": one line}."""
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] != "gpt2forge":
        return {"fault": f"`{stage}` cannot import what it needs: {name_error(error)}; reinstall it"}
    if isinstance(error, MemoryError):
        return {"fault": f"`{stage}` needs more memory than is available; free some and build again"}
    if is_fixable(error):
        return {"fault": format_fixable(error)}
    return {"crash": name_error(error)}


def name_error(error: Exception) -> str:
    """Return an error's class and message on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
