"""Collects what the page of a comparison shows beyond the reports.

The stored weights, the times by operator and the answers come from the packages in the store. A result whose package is
elsewhere has none of them.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from gpt2forge.builder.answers import Answer, answer_prompts, choose_prompts
from gpt2forge.builder.comparison import Comparison
from gpt2forge.builder.find_artifact import find_artifact
from gpt2forge.builder.operator_times import PhaseTimes, time_operators
from gpt2forge.cli import console
from gpt2forge.cli.inspect_command import check_tensors
from gpt2forge.cli.page.page import PageData, make_page
from gpt2forge.errors import UserError
from gpt2forge.stages.forge_json import NAME, read_provenance
from gpt2forge.stages.stage import PACKAGE
from gpt2forge.store.store import Store
from gpt2forge.tune.effect import Effect
from gpt2forge.units import count

ELSEWHERE = "its package is not in this store"
Packages = Mapping[str, Path | None]
"""The folder of each result's package by the result's name; None if it is not in the store."""


def make_comparison_page(
    comparison: Comparison, store: Path, prompts: Sequence[str], effects: Sequence[Effect] = ()
) -> str:
    """Return the page of a comparison as HTML.

    Each result answers the prompts; without any, some from the text that was measured on. `effects`: what each choice
    of the baseline buys, if the other results are those without it.
    """
    opened = Store(store, is_read_only=True)
    with opened.hold() if store.is_dir() else nullcontext():
        packages = find_packages(comparison, opened)
        asked = list(prompts) or find_prompts(comparison, packages, opened)
        data = PageData(
            comparison=comparison,
            tensors={name: read_tensors(folder) for name, folder in packages.items() if folder},
            times={name: time_package(name, folder) for name, folder in packages.items() if folder},
            prompts=asked,
            answers={name: answer(name, folder, asked) for name, folder in packages.items()} if asked else {},
            effects=effects,
        )
    return make_page(data)


def find_packages(comparison: Comparison, store: Store) -> Packages:
    """Return the package of each result."""
    pairs = zip(comparison.names, comparison.reports, strict=True)
    return {name: find_artifact(report, PACKAGE, store) for name, report in pairs}


def find_prompts(comparison: Comparison, packages: Packages, store: Store) -> list[str]:
    """Return prompts from the text that the first result was measured on whose package and reference are here."""
    for name, report in zip(comparison.names, comparison.reports, strict=True):
        package, reference = packages[name], find_artifact(report, "reference", store)
        if package and reference:
            return choose_prompts(reference, package)
    return []


def read_tensors(package: Path) -> list[dict[str, Any]]:
    """Return how a package stores its weights."""
    return check_tensors(read_provenance(package).get("tensors"), package / NAME)


def time_package(name: str, package: Path) -> list[PhaseTimes]:
    """Return the times of a package by operator; none if it cannot be opened, as its answers say."""
    console.inform(f"{name}: times its operators")
    with suppress(UserError):
        return time_operators(package)
    return []


def answer(name: str, package: Path | None, prompts: Sequence[str]) -> list[Answer] | str:
    """Return the answers of a result to all prompts, or why it has none."""
    if package is None:
        return ELSEWHERE
    console.inform(f"{name}: answers {count(len(prompts), 'prompt')}")
    try:
        return answer_prompts(package, prompts)
    except UserError as error:
        return str(error)
