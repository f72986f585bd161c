"""forge.json, which lies in every artifact: how it was made. It holds nothing that differs between hosts.

{"sections": {"target": {...}, "fusion": {...}}, "inputs": {"convert": {"checkpoint": digest}, ...},
 and in a package "tools": {...versions}, and what the stage itself left there, such as "tensors";
 "assumed": {tool: [version that made it, version that was taken to make the same]}}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpt2forge.stages.stage import PACKAGE, Stage

NAME = "forge.json"


def write_provenance(
    out: Path,
    stage: Stage,
    section: Mapping[str, Any],
    target: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
) -> None:
    """Say in `out` how it was made.

    `inputs` are {kind: {"path", "digest", "made"}}: a source, which no step made, tells nothing of itself, whatever
    lies there. `section` and `target` are what was read. Tools stand in a package only: an upgrade that leaves the
    weights and graphs as they are leaves their artifacts as they are.
    """
    story: dict[str, Any] = {"sections": {}, "inputs": {}}
    for source in inputs.values():
        told = read_story(Path(source["path"])) if source["made"] else {}
        story["sections"] |= told.get("sections", {})
        story["inputs"] |= told.get("inputs", {})
    if stage.section:
        story["sections"][stage.section] = section
    story["sections"]["target"] = {**story["sections"].get("target", {}), **target}
    story["inputs"][stage.name] = {kind: source["digest"] for kind, source in inputs.items()}
    if stage.writes == PACKAGE:
        story["tools"] = stage.tool_versions()
    add_story(out, {**story, **read_story(out)})


def add_story(out: Path, more: Mapping[str, Any]) -> None:
    """Say more, of a folder that may have its story already."""
    (out / NAME).write_text(json.dumps({**read_story(out), **more}, indent=1, sort_keys=True) + "\n")


def read_story(folder: Path) -> dict[str, Any]:
    path = folder / NAME
    return dict(json.loads(path.read_text())) if path.is_file() else {}
