"""The tools that stages need: their installed versions, and the command that installs missing ones."""

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

from gpt2forge.stages.stage import Stage

EXTRAS: Mapping[str, str] = {"torch": "torch", "transformers": "torch"}
"""The extra of gpt2forge that installs a tool; every other tool is installed with gpt2forge itself."""

Versions = Mapping[str, str | None]
"""Versions by tool; None for a tool that is not installed."""


def find_versions(stage: Stage) -> dict[str, str | None]:
    """Look up the version of each tool that a stage declares."""
    return {tool: find_version(tool) for tool in stage.tools}


def find_version(tool: str) -> str | None:
    try:
        return version(tool)
    except PackageNotFoundError:
        return None


def list_missing(versions: Versions) -> tuple[str, ...]:
    return tuple(tool for tool, found in versions.items() if found is None)


def name_installer(missing: Iterable[str]) -> str:
    """Return the command that installs the missing tools."""
    extras = sorted({EXTRAS[tool] for tool in missing if tool in EXTRAS})
    return f"pip install 'gpt2forge[{','.join(extras)}]'" if extras else "pip install gpt2forge"
