"""The generated parts of the documentation are what `make docs` writes."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gpt2forge.cli.program import COMMANDS, load_command
from tests.workshop import ROOT
from tools.generate_docs import PAGES, fill


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_up_to_date(page: Path) -> None:
    assert page.read_text() == fill(page.read_text()), "run `make docs`"


def list_commands() -> Iterator[str]:
    """Yield the words that call each command."""
    for command in map(load_command, COMMANDS):
        if isinstance(command, click.Group):
            yield from (f"{command.name} {name}" for name in command.commands)
        else:
            yield str(command.name)


def test_every_command_has_its_options_on_the_page() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    assert sorted(re.findall("<!-- generated: options of (.*) -->", page)) == sorted(list_commands())


def test_edited_default_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    command = load_command("generate")
    (count,) = (each for each in command.params if each.name == "no_repeat_ngram")
    page = "<!-- generated: options of generate -->\n<!-- end -->"
    assert "* `--no-repeat-ngram N`: Let no sequence of N tokens occur twice; 0: any may. Default: `0`.\n" in fill(page)
    monkeypatch.setattr(count, "default", 7)
    assert "* `--no-repeat-ngram N`: Let no sequence of N tokens occur twice; 0: any may. Default: `7`.\n" in fill(page)


def test_filling_twice_changes_nothing() -> None:
    page = "<!-- generated: keys of a recipe -->\nold\n<!-- end -->\nprose\n"
    assert fill(fill(page)) == fill(page)
    assert fill(page).endswith("\n\n<!-- end -->\nprose\n")
