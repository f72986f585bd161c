"""Reads pyproject.toml: which Pythons it supports, and which packages the tests need."""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = ("chat", "cluster", "h5", "hub", "remote", "sentencepiece", "torch", "tune", "dev")


def read_pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def list_supported() -> list[str]:
    """Return the versions that the classifiers name, such as "3.11", oldest first."""
    lines = read_pyproject()["project"]["classifiers"]
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in lines]
    return sorted((match[1] for match in found if match), key=Version)


def list_requirements(has_torch: bool = True) -> list[Requirement]:
    """Return the direct requirements of the package, of its tests and of its build."""
    document = read_pyproject()
    project = document["project"]
    texts = [
        *document["build-system"]["requires"],
        *project["dependencies"],
        *(text for extra in EXTRAS for text in project["optional-dependencies"][extra]),
    ]
    left_out = {project["name"]} if has_torch else {project["name"], "torch"}
    return [requirement for requirement in map(Requirement, texts) if requirement.name not in left_out]


def take_lowest(requirement: Requirement) -> str:
    """Return the requirement with its lower bound as the exact version."""
    (lowest,) = (bound.version for bound in requirement.specifier if bound.operator in (">=", "=="))
    return f"{requirement.name}=={lowest}"
