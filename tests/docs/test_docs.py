"""The pages document every command, option and recipe key; their links and commands work."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from gpt2forge.cli import program
from gpt2forge.recipe.schema import Recipe, find_section
from tests.workshop import ROOT, SHIPPED, Workshop, copy_workshop, shorten_recipes

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")])
COMMANDS = (ROOT / "docs/commands.md").read_text()
RECIPES = (ROOT / "docs/recipes.md").read_text()
README = (ROOT / "README.md").read_text()


def list_keys(section: Any, prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if hasattr(find_section(field.annotation), "model_fields"):
            yield from list_keys(find_section(field.annotation), f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("key", [*list_keys(Recipe), "extends", "matrix"])
def test_every_key_of_a_recipe_has_its_line(key: str) -> None:
    assert f"\n| `{key}` |" in RECIPES


@pytest.mark.parametrize("key", re.findall(r"^\| `([a-z_.0-9]+)` \| ", RECIPES, re.MULTILINE))
def test_every_line_is_of_a_key_that_there_is(key: str) -> None:
    assert key in [*list_keys(Recipe), "extends", "matrix"]


@pytest.mark.parametrize("name", sorted(program.COMMANDS))
def test_every_command_and_each_of_its_options_is_documented(name: str) -> None:
    page = COMMANDS.partition(f"\n## gpt2forge {name}")[2].partition("\n## ")[0]
    assert page
    for parameter in program.load_command(name).params:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                assert f"`{option}" in page, f"{option} of {name}"


def list_anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        if target.startswith("http"):
            continue
        linked = page.parent / target if target else page
        assert linked.exists(), target
        assert not anchor or anchor in list_anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_index_and_site_lead_to_every_page(page: Path) -> None:
    assert page.name == "index.md" or f"]({page.name})" in (ROOT / "docs/index.md").read_text()
    assert f' = "{page.name}" }}' in (ROOT / "zensical.toml").read_text()


def test_every_shipped_recipe_is_on_the_page_about_choosing() -> None:
    page = (ROOT / "docs/choosing.md").read_text()
    for name in SHIPPED:
        assert f"`{name}`" in page


def test_readme_takes_a_minute() -> None:
    assert len(README.splitlines()) < 100


@pytest.fixture(scope="module")
def typist(measured_once: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A working directory for the commands of the pages. Its recipes measure less text, in fewer rounds."""
    shop = copy_workshop(measured_once, tmp_path_factory.mktemp("typist") / "here")
    shorten_recipes(shop)
    return shop


def list_examples() -> list[str]:
    """Return the commands of the README that are for the included example."""
    lines = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    return [
        line.partition("  #")[0].strip() for line in lines if "nano-" in line and line.startswith(("make", ".venv"))
    ]


@pytest.mark.slow
def test_commands_of_the_readme_run_as_typed(typist: Workshop) -> None:
    examples = list_examples()
    assert examples[0] == "make build RECIPE=nano-cpu-int8"
    for line in examples:
        words = re.sub(r"^make (\w+) RECIPE=", r"\1 ", line.removeprefix(".venv/bin/gpt2forge "))
        done = typist.run(*[word.strip('"') for word in re.findall(r'"[^"]*"|\S+', words)])
        assert done.stdout


@pytest.mark.slow
def test_python_of_the_page_runs_as_typed(typist: Workshop) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 9
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "\n".join(blocks)]
    done = subprocess.run(command, cwd=typist.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("build/nano-cpu-int8 package=")
    assert lines[-1] == "`nano-cpu-int9`: there is no `recipes/nano-cpu-int9.yaml`; did you mean `nano-cpu-int8`?"


def test_recipe_of_the_page_is_valid(tmp_path: Path, workshop: Workshop) -> None:
    text = RECIPES.partition("```yaml\n")[2].partition("```")[0]
    recipe = tmp_path / "mine-cpu-int8.yaml"
    recipe.write_text(text)
    done = workshop.run("plan", str(recipe), code=1)
    assert done.stderr.startswith(f"error: {recipe}:7:3: no checkpoint at `checkpoints/mine`")


@pytest.mark.slow
def test_everything_that_a_report_measures_is_explained(measured: Workshop) -> None:
    page = (ROOT / "docs/report.md").read_text()
    report = measured.prove("nano-cpu-int8")
    keys = [key for part in ("verify", "benchmark") for key in report[part]] + list(report["verify"]["properties"])
    assert [key for key in keys if f"| `{key}` | " not in page] == []
