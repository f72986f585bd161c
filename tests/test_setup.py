"""The installation by `make`: requirements.txt pins every package that the extras need."""

import os
import re
import subprocess
import tomllib
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from gpt2forge.recipe.yaml import read_document
from tests.pythons.project import list_supported

ROOT = Path(__file__).parents[1]
DOCUMENT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = DOCUMENT["project"]
TARGETS = [
    "help",
    "install",
    "build",
    "plan",
    "why",
    "compare",
    "docs",
    "site",
    "test",
    "check",
    "test-faults",
    "fuzz",
    "fuzz-commands",
    "test-interop",
    "test-pythons",
    "test-remote",
    "bench",
    "bench-full",
    "clean",
]


def read_pins() -> dict[str, Version]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, _, version in pins}


def read_direct() -> list[Requirement]:
    """List the requirements of pyproject.toml and its extras, without gpt2forge itself."""
    texts = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != "gpt2forge"]


def test_every_pin_is_one_exact_public_version() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line)] == []
    assert "torch==2.13.0" in lines


def test_pages_name_the_pinned_pytorch() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    named = {each for page in pages for each in re.findall(r"torch==([\d.]+\d)", page.read_text(encoding="utf-8"))}
    assert named == {str(read_pins()["torch"])}


def test_pins_are_within_the_bounds_of_pyproject() -> None:
    pins = read_pins()
    outside = [str(needed) for needed in read_direct() if pins[canonicalize_name(needed.name)] not in needed.specifier]
    assert outside == []


def test_pins_cover_the_whole_closure() -> None:
    """Follow every requirement except those of torch, which differ between its builds."""
    pins, missing = read_pins(), set()
    waiting, seen = [(needed.name, needed.extras) for needed in read_direct()], set()
    while waiting:
        name, extras = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if canonicalize_name(name) not in pins:
            missing.add(name)
        for text in requires(name) or () if name != "torch" else ():
            needed = Requirement(text)
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                waiting.append((needed.name, needed.extras))
    assert sorted(missing) == []


def run_make(*words: str) -> subprocess.CompletedProcess[str]:
    """Run make as a shell would, even if make started these tests."""
    inherited = ("MAKE", "MFLAGS", "ARGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}
    return subprocess.run(["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_make_alone_lists_the_targets() -> None:
    listed = run_make().stdout
    assert [line.split()[1] for line in listed.splitlines()] == TARGETS


def test_make_build_without_a_recipe_says_how() -> None:
    made = run_make("build")
    assert made.returncode == 2
    assert made.stderr.splitlines()[0] == "say which recipe: make build RECIPE=nano-cpu-int8 (see recipes/)"


@pytest.mark.parametrize("goal", ["build", "plan", "why", "compare"])
def test_words_behind_a_goal_are_names_of_recipes(goal: str) -> None:
    for words in (("nano-cpu-int8", "nano-cpu@int4-32"), ("RECIPE=nano-cpu-int8 nano-cpu@int4-32",)):
        made = run_make("-n", "--old-file=.venv/installed", goal, *words)
        (line,) = (line.strip() for line in made.stdout.splitlines() if "bin/gpt2forge" in line)
        assert line == f".venv/bin/gpt2forge {goal} nano-cpu-int8 nano-cpu@int4-32"


def test_goals_behind_a_goal_stay_goals() -> None:
    made = run_make("-n", "--old-file=.venv/installed", "build", "plan", "RECIPE=x")
    assert [line.split()[:2] for line in made.stdout.splitlines() if "bin/gpt2forge" in line] == [
        [".venv/bin/gpt2forge", "build"],
        [".venv/bin/gpt2forge", "plan"],
    ]


def test_torch_is_installed_unless_the_run_is_one_without_it(pytestconfig: pytest.Config) -> None:
    """Fail without PyTorch, where the tests that need it are skipped."""
    assert (find_spec("torch") is None) == pytestconfig.getoption("--without-torch")


def test_every_place_names_the_same_pythons() -> None:
    oldest, *between, newest = list_supported()
    minors = [int(version.removeprefix("3.")) for version in list_supported()]
    first, after = minors[0], minors[-1] + 1
    assert minors == list(range(first, after))
    assert PROJECT["requires-python"] == f">=3.{first},<3.{after}"
    assert DOCUMENT["tool"]["ruff"]["target-version"] == f"py3{first}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"sys.exit(not (3, {first}) <= sys.version_info < (3, {after}))" in makefile
    for page in ("Makefile", "README.md", "CONTRIBUTING.md"):
        ranges = re.findall(r"Python (3\.\d+) (?:to (3\.\d+)|or newer)", (ROOT / page).read_text(encoding="utf-8"))
        assert set(ranges) == {(oldest, newest)}, page
    jobs = read_document(ROOT / ".github/workflows/ci.yml").plain()["jobs"]
    assert jobs["check"]["strategy"]["matrix"]["python"] == [oldest, newest]
    assert jobs["fast"]["strategy"]["matrix"]["python"] == between
