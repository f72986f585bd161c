"""The published directories run in headless Chromium, through the page under examples/web."""

import json
from pathlib import Path

import pytest

from interop.browser import PAGE, SCREENSHOT, Seen, visit
from interop.checks import check_alone
from interop.conftest import NANO
from interop.environments import HERE
from interop.prompts import NEW, PROMPTS
from interop.reference import Continuation
from tests.workshop import Workshop


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web") / "site"


@pytest.fixture(scope="module")
def seen(site: Path, published: dict[str, Path]) -> Seen:
    return visit(site, {name: published[name] for name in NANO}, PROMPTS, NEW)


@pytest.mark.parametrize("name", NANO)
def test_tokens_are_ours(name: str, seen: Seen, expected: dict[str, list[Continuation]]) -> None:
    check_alone(seen.answers[name], expected[name])


def test_page_shows_the_text_that_our_own_command_writes(seen: Seen, site: Path, workshop: Workshop) -> None:
    done = workshop.run("generate", NANO[0], "-p", PROMPTS[0], "-n", str(NEW), "-t", "0")
    assert seen.typed + "\n" == done.stdout
    assert (site.parent / SCREENSHOT).read_bytes().startswith(b"\x89PNG")


def test_page_reports_no_error(seen: Seen) -> None:
    assert seen.errors == []


def test_page_takes_the_versions_that_are_tested_here() -> None:
    users = json.loads((PAGE / "package.json").read_text())["dependencies"]
    ours = json.loads((HERE / "web/package.json").read_text())["dependencies"]
    assert users.items() <= ours.items()
