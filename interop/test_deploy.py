"""The examples of docs/deploy.md run unchanged in a folder that holds `my-model`."""

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from interop.browser import drive
from interop.deploy import read_example
from interop.environments import HERE, make_node, make_python
from interop.served import serve
from tests.workshop import ROOT, Workshop

PROMPT = "def __repr__(self"
PYTHON = {"onnxruntime": "plain", "Optimum": "optimum", "onnxruntime-genai": "genai", "OpenVINO": "openvino_runtime"}
NODE = {"transformers.js": "transformersjs", "A browser": "web"}


@pytest.fixture(scope="module")
def desk(workshop: Workshop) -> Path:
    """Return a folder with a copied package, as the first line of the page makes it."""
    workshop.build("nano-cpu-int8")
    workshop.run("copy", "nano-cpu-int8", "my-model")
    return workshop.folder


@pytest.fixture(scope="module")
def text(workshop: Workshop, desk: Path) -> str:
    """Return the text that gpt2forge itself generates, with the line end."""
    return workshop.run("generate", str(desk / "my-model"), "-p", PROMPT, "-n", "32", "-t", "0").stdout


def run_example(command: Sequence[str], example: Path) -> str:
    done = subprocess.run([*command, example.name], cwd=example.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("section", PYTHON)
def test_example_in_python_writes_our_text(section: str, desk: Path, text: str) -> None:
    example = desk / f"{PYTHON[section]}_example.py"
    example.write_text(read_example(section, "python"))
    assert run_example([str(make_python(PYTHON[section]))], example) == text


def test_example_for_node_writes_our_text(desk: Path, text: str, tmp_path: Path) -> None:
    for name, place in (("my-model", desk), ("node_modules", make_node("transformersjs"))):
        (tmp_path / name).symlink_to(place / name)
    example = tmp_path / "example.mjs"
    example.write_text(read_example("transformers.js", "js"))
    assert run_example(["node"], example) == text


def test_example_of_a_page_shows_our_text(desk: Path, text: str, tmp_path: Path) -> None:
    node, page = make_node("web"), tmp_path / "index.html"
    for name, place in (("my-model", desk), ("node_modules", node), ("gpt2.js", ROOT / "examples/web")):
        (tmp_path / name).symlink_to(place / name)
    page.write_text(read_example("A browser", "html"))
    shown = text.removesuffix("\n")
    with serve(tmp_path) as url:
        assert drive("read.mjs", {"url": url, "selector": "pre", "length": len(shown)}) == shown


@pytest.mark.parametrize("section", PYTHON)
def test_pip_is_asked_for_versions_that_are_tested(section: str) -> None:
    asked = re.findall(r'"([^"]+)"', read_example(section, "sh"))
    lines = (HERE / PYTHON[section] / "requirements.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    assert asked
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(tested[requirement.name])


@pytest.mark.parametrize("section", NODE)
def test_npm_is_asked_for_versions_that_are_tested(section: str) -> None:
    asked = re.findall(r"(\S+)@([\d.]+)", read_example(section, "sh"))
    tested = json.loads((HERE / NODE[section] / "package.json").read_text())["dependencies"]
    assert asked
    for name, version in asked:
        assert tested[name].startswith(f"{version}.")
