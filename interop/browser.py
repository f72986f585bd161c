"""Runs the page under examples/web in Debian's Chromium, headless, served on loopback."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.environments import make_node, need_program
from interop.hosts import Answer
from interop.served import serve
from tests.workshop import ROOT

PAGE = ROOT / "examples/web"
SCREENSHOT = "page.png"


@dataclass(frozen=True)
class Seen:
    """What the page showed once the first prompt was typed, what its module says of each package, what went wrong."""

    typed: str
    answers: dict[str, Answer]
    errors: list[str]


def visit(site: Path, packages: Mapping[str, Path], prompts: Sequence[str], new: int) -> Seen:
    """Type the first prompt into the page, which shows the first package; then ask its module about all of them."""
    return open_page(site, packages, {"folders": list(packages), "prompts": list(prompts), "new": new})


def type_prompt(site: Path, package: Path, prompt: str, new: int) -> str:
    """What the page shows when somebody types the prompt and presses the button."""
    return open_page(site, {"my-model": package}, {"folders": [], "prompts": [prompt], "new": new}).typed


def open_page(site: Path, packages: Mapping[str, Path], request: dict[str, Any]) -> Seen:
    """Put the page into the new folder `site`, open it and let it be driven; leaves a screenshot beside the folder."""
    lay_out(site, make_node("web") / "node_modules", packages)
    with serve(site) as url:
        page = {"url": f"{url}?model={next(iter(packages))}", "screenshot": str(site.parent / SCREENSHOT)}
        said = drive("drive.mjs", request | page)
    answers = [Answer(**answer) for answer in said["answers"]]
    return Seen(said["typed"], dict(zip(request["folders"], answers, strict=True)), said["errors"])


def drive(script: str, request: dict[str, Any]) -> Any:
    """What `interop/web/<script>` says to this request."""
    program, node = need_program("chromium", "chromium"), make_node("web")
    told = json.dumps({"program": str(program), **request})
    done = subprocess.run(["node", str(node / script)], input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def lay_out(site: Path, node_modules: Path, packages: Mapping[str, Path]) -> None:
    """The page as a user has it: its files, what npm installed, the packages beside it."""
    site.mkdir()
    for path in (*PAGE.iterdir(), node_modules):
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    for name, folder in packages.items():
        (site / name).symlink_to(folder.resolve())
