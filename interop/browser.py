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
    """The text that the page showed for the first prompt, its module's answer for each package, and any errors."""

    typed: str
    answers: dict[str, Answer]
    errors: list[str]


def visit(site: Path, packages: Mapping[str, Path], prompts: Sequence[str], new: int) -> Seen:
    """Type the first prompt into the page, which opens the first package, then ask its module about all packages."""
    return open_page(site, packages, {"folders": list(packages), "prompts": list(prompts), "new": new})


def type_prompt(site: Path, package: Path, prompt: str, new: int) -> str:
    """Type the prompt into the page and press the button. Return the text that the page shows."""
    return open_page(site, {"my-model": package}, {"folders": [], "prompts": [prompt], "new": new}).typed


def open_page(site: Path, packages: Mapping[str, Path], request: dict[str, Any]) -> Seen:
    """Put the page into the new folder `site` and drive it in a browser; leave a screenshot beside the folder."""
    lay_out(site, make_node("web") / "node_modules", packages)
    with serve(site) as url:
        page = {"url": f"{url}?model={next(iter(packages))}", "screenshot": str(site.parent / SCREENSHOT)}
        said = drive("drive.mjs", request | page)
    answers = [Answer(**answer) for answer in said["answers"]]
    return Seen(said["typed"], dict(zip(request["folders"], answers, strict=True)), said["errors"])


def drive(script: str, request: dict[str, Any]) -> Any:
    """Run `interop/web/<script>` with this request and return its answer."""
    program, node = need_program("chromium", "chromium"), make_node("web")
    message = json.dumps({"program": str(program), **request})
    done = subprocess.run(["node", str(node / script)], input=message, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def lay_out(site: Path, node_modules: Path, packages: Mapping[str, Path]) -> None:
    """Lay out the page as a user does: its files, the modules that npm installed, and the packages."""
    site.mkdir()
    for path in (*PAGE.iterdir(), node_modules):
        if not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    for name, folder in packages.items():
        (site / name).symlink_to(folder.resolve())
