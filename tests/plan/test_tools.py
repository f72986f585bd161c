"""Which tools are installed, and how the missing ones are installed."""

import re
import tomllib
from importlib.metadata import version

from gpt2forge.plan.tools import EXTRAS, find_version, list_missing, name_installer
from gpt2forge.stages.all_stages import STAGES
from tests.workshop import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def list_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}


def test_every_tool_of_a_stage_is_a_dependency_or_comes_with_the_extra_that_is_named() -> None:
    extras = {name: list_names(needed) for name, needed in PROJECT["optional-dependencies"].items()}
    for tool in {tool for stage in STAGES for tool in stage.tools}:
        assert tool in (extras[EXTRAS[tool]] if tool in EXTRAS else list_names(PROJECT["dependencies"])), tool


def test_version_is_that_of_the_distribution_and_none_where_there_is_none() -> None:
    assert find_version("numpy") == version("numpy")
    assert find_version("no-such-distribution") is None
    assert list_missing({"numpy": "2.0", "torch": None, "onnx": None}) == ("torch", "onnx")


def test_extra_is_named_once_and_only_where_it_brings_what_is_missing() -> None:
    assert name_installer(["torch", "transformers", "onnx"]) == "pip install 'gpt2forge[torch]'"
    assert name_installer(["onnx"]) == "pip install gpt2forge"
