"""Versions: Python, gpt2forge and what it needs, compared with the bounds in its metadata."""

import operator
import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires

from gpt2forge import __version__
from gpt2forge.doctor.examination import Examination, Finding
from gpt2forge.plan.tools import EXTRAS, find_version, name_installer
from gpt2forge.stages.all_stages import STAGES

NEED = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*([<>=!~][^;]*)?(;.*)?")
BOUND = re.compile(r"(>=|<|==)\s*([0-9][0-9.]*)")
TESTS = {">=": operator.ge, "<": operator.lt, "==": operator.eq}
RIVALS = ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
"""Builds of onnxruntime that are installed into the same folder, so that either overwrites the other."""


def examine_versions() -> Examination:
    """Look up every tool that a stage uses."""
    tools = sorted({tool for stage in STAGES for tool in stage.tools})
    found = {tool: find_version(tool) for tool in tools}
    values = {"gpt2forge": __version__, "python": platform.python_version(), **found}
    line = ", ".join(f"{name} {version or 'not installed'}" for name, version in values.items())
    return Examination("versions", values, line, tuple(list_findings(found, list_needs())))


def list_findings(found: dict[str, str | None], needs: Sequence[str]) -> Iterator[Finding]:
    """Yield what is missing, what has another version than gpt2forge needs, and what overwrites something else."""
    missing = [tool for tool, version in found.items() if version is None]
    if missing:
        what = f"{', '.join(missing)}: not installed"
        means = ", so nothing is measured or fitted" if set(missing) <= set(EXTRAS) else ""
        yield Finding("missing", f"{what}{means}", f"`{name_installer(missing)}`")
    for need in needs:
        name, bounds = split_need(need)
        version = found.get(name)
        if version and not is_within(version, bounds):
            yield Finding("wrong", f"{name} {version}: gpt2forge needs {bounds}", f"`pip install '{name}{bounds}'`")
    for rival in filter(find_version, RIVALS):
        fix = f"`pip uninstall {rival} && pip install --force-reinstall --no-deps onnxruntime`"
        yield Finding("wrong", f"{rival} is installed into the same folder as onnxruntime", fix)


def list_needs() -> list[str]:
    """List what gpt2forge's metadata says that it needs; nothing if it runs from its sources."""
    try:
        return requires("gpt2forge") or []
    except PackageNotFoundError:
        return []


def split_need(need: str) -> tuple[str, str]:
    """Return the name and the bounds of a requirement.

    https://packaging.python.org/en/latest/specifications/dependency-specifiers/
    """
    found = NEED.match(need)
    return (found[1], (found[2] or "").strip()) if found else (need, "")


def is_within(version: str, bounds: str) -> bool:
    """Return whether a version fits every bound of the kinds that gpt2forge uses."""
    return all(TESTS[sign](parse(version), parse(bound)) for sign, bound in BOUND.findall(bounds))


def parse(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without zeros at the end and without what follows `+`, `rc` and the like."""
    numbers = [int(part) for part in re.match(r"[0-9.]*", version)[0].split(".") if part]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
