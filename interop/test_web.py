"""The published directories in headless Chromium, through the page under examples/web."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from interop.checks import check_alone
from interop.conftest import NANO
from interop.environments import HERE, make_node, need_program
from interop.hosts import Answer
from interop.prompts import NEW, PROMPTS
from interop.reference import Continuation
from interop.served import serve
from tests.workshop import ROOT, Workshop

PAGE = ROOT / "examples/web"


@dataclass(frozen=True)
class Seen:
    """What the page showed after the first prompt was typed, what its module says of each package, what went wrong."""

    typed: str
    answers: dict[str, Answer]
    errors: list[str]


def lay_out(site: Path, node_modules: Path, packages: dict[str, Path]) -> None:
    """The page as a user has it: its files, what npm installed, the packages beside it."""
    site.mkdir()
    for path in (*PAGE.iterdir(), node_modules):
        (site / path.name).symlink_to(path)
    for name, folder in packages.items():
        (site / name).symlink_to(folder.resolve())


@pytest.fixture(scope="module")
def seen(published: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    program, node = need_program("chromium", "chromium"), make_node("web")
    site = tmp_path_factory.mktemp("web") / "site"
    lay_out(site, node / "node_modules", published)
    with serve(site) as url:
        request = {
            "program": str(program),
            "url": f"{url}?model=nano-cpu-int8",
            "folders": NANO,
            "prompts": PROMPTS,
            "new": NEW,
            "screenshot": str(site.parent / "page.png"),
        }
        command = ["node", str(node / "drive.mjs")]
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    answers = [Answer(**answer) for answer in said["answers"]]
    return Seen(said["typed"], dict(zip(NANO, answers, strict=True)), said["errors"])


@pytest.mark.parametrize("name", NANO)
def test_tokens_are_ours(name: str, seen: Seen, expected: dict[str, list[Continuation]]) -> None:
    check_alone(seen.answers[name], expected[name])


def test_page_shows_the_text_that_our_own_command_writes(seen: Seen, workshop: Workshop) -> None:
    done = workshop.run("generate", "nano-cpu-int8", "-p", PROMPTS[0], "-n", str(NEW))
    assert seen.typed + "\n" == done.stdout


def test_page_reports_no_error(seen: Seen) -> None:
    assert seen.errors == []


def test_page_takes_the_versions_that_are_tested_here() -> None:
    users = json.loads((PAGE / "package.json").read_text())["dependencies"]
    ours = json.loads((HERE / "web/package.json").read_text())["dependencies"]
    assert users.items() <= ours.items()
