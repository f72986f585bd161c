"""Each trial installs the direct requirements of pyproject.toml."""

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.pythons.project import list_requirements, list_supported, take_lowest


def test_supported_versions_are_in_order() -> None:
    supported = list_supported()
    assert supported[0] == "3.11"
    assert supported == sorted(supported, key=Version)


@pytest.mark.parametrize("requirement", list_requirements(), ids=lambda requirement: requirement.name)
def test_lowest_version_is_allowed_and_none_below_it(requirement: Requirement) -> None:
    name, _, version = take_lowest(requirement).partition("==")
    assert name == requirement.name
    assert version in requirement.specifier
    assert not requirement.specifier.contains(f"{version}.dev0", prereleases=True)


def test_only_torch_is_left_out_without_torch() -> None:
    names = [requirement.name for requirement in list_requirements()]
    assert "gpt2forge" not in names
    assert {"hatchling", "numpy", "transformers", "pytest"} <= set(names)
    names.remove("torch")
    assert [requirement.name for requirement in list_requirements(has_torch=False)] == names
